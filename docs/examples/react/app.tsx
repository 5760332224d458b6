import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useSession } from "./session";
import { Warning } from "./warning";

function App() {
  const session = useSession();
  const [text, setText] = useState("");
  return (
    <main>
      <h1>A letter</h1>
      <textarea aria-label="Letter" value={text} onChange={(event) => setText(event.target.value)} />
      <p role="status">{session?.offline ? "The server can’t be reached." : `This session is ${session?.phase ?? "unknown"}.`}</p>
      <Warning />
    </main>
  );
}

createRoot(document.getElementById("app")!).render(<App />);
