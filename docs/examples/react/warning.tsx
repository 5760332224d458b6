import { useEffect, useRef, useState } from "react";
import type { State } from "idlewatch";
import { idlewatch, useSession } from "./session";

/** Shown instead of idlewatch’s own dialog, whose event `idlewatch:warned` is cancelled. */
export function Warning() {
  const session = useSession();
  if (session === null || session.phase !== "warned" || !session.extendable || session.hidden) return null;
  return <Dialog session={session} />;
}

function Dialog({ session }: { session: State }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const seconds = useCountdown(session);
  const stay = () => idlewatch?.extend();

  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);

  return (
    <dialog ref={dialog} role="alertdialog" aria-labelledby="warning" onCancel={stay}>
      <h2 id="warning">Your session is about to end</h2>
      <p role="timer">{seconds} seconds left</p>
      <button type="button" onClick={stay}>
        Go on working
      </button>
    </dialog>
  );
}

/** `remaining` was true when the state was made: from then on the page counts down by itself. */
function useCountdown(session: State) {
  const [remaining, setRemaining] = useState(session.remaining);
  useEffect(() => {
    const end = performance.now() + session.remaining * 1000;
    const tick = () => setRemaining(Math.max(0, (end - performance.now()) / 1000));
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [session]);
  return Math.ceil(remaining);
}
