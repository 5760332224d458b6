/** A page of one's own making: it polls, and follows its links itself. */

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

function App() {
  const [place, setPlace] = useState(window.location.search);
  const [answer, setAnswer] = useState("");

  useEffect(() => {
    const poll = async () => setAnswer(`${(await fetch("/api/")).status}`);
    const timer = setInterval(poll, 300);
    return () => clearInterval(timer);
  }, []);

  const follow = (event) => {
    event.preventDefault();
    window.history.pushState(null, "", event.target.href);
    setPlace(window.location.search);
  };

  return (
    <>
      <h1>Private {place}</h1>
      <a href="/?next" onClick={follow}>Next</a>
      <output>{answer}</output>
    </>
  );
}

createRoot(document.querySelector("#root")).render(<App />);
