import { useSyncExternalStore } from "react";
import { start, type State } from "idlewatch";

let state: State | null = null;

// Before `start()`, which may have something to tell at once.
document.addEventListener("idlewatch:state", (event) => {
  state = event.detail;
});
document.addEventListener("idlewatch:warned", (event) => {
  // The absolute limit is left to idlewatch, which warns of it without a dialog.
  if (event.detail.extendable) event.preventDefault();
});

/** What is `window.idlewatch` too; null on a page of an anonymous user. */
export const idlewatch = start();

function subscribe(onChange: () => void) {
  document.addEventListener("idlewatch:state", onChange);
  return () => document.removeEventListener("idlewatch:state", onChange);
}

/** Where the session stands, as of the last event. */
export function useSession(): State | null {
  return useSyncExternalStore(subscribe, () => state);
}
