/** Presents states: as events to the project's scripts, and in the view to the user. */

import { PHASE } from "./protocol.js";

/**
 * @typedef {object} View What the user sees.
 * @property {(state: State, received?: boolean) => void} show `received`: the server has just sent it.
 * @property {(state: State) => void} end Hide the content, and show the reason.
 * @property {(state: State) => void} leave Go to the sign-in page.
 * @property {() => void} restore Show the content again, as it was.
 * @property {() => void} drop Remove the content for good, and go to the start page.
 * @property {(text: string, id: string) => void} notice
 */

/**
 * @typedef {(name: "state" | "warned" | "ended" | "resumed", state: State) => boolean} Events Tells the project's scripts;
 *   returns false if one has cancelled it.
 */

/** Presents each state that is new, and lets a script take the warning over. */
export class Presenter {
  #shown = /** @type {State | null} */ (null);
  #warningTaken = false;
  #resuming = false;

  /**
   * @param {object} options
   * @param {View} options.view
   * @param {Events} options.events
   */
  constructor({ view, events }) {
    this.view = view;
    this.events = events;
  }

  /** The state that was presented last. */
  get shown() {
    return this.#shown;
  }

  /**
   * Present a state. The end is the caller's.
   * @param {State} state
   * @param {boolean} received Whether the server has just sent it: then it is an event even if it is the same.
   */
  present(state, received) {
    const before = this.#shown;
    const resumed = this.#resuming && state.phase !== PHASE.ENDED;
    this.#shown = state;
    this.#resuming = false;
    if (resumed) this.view.restore();
    if (received || differs(before, state)) this.events("state", state);
    if (state.phase === PHASE.ENDED) return;
    if (state.phase !== PHASE.WARNED) this.#warningTaken = false;
    else if (before?.phase !== PHASE.WARNED) this.#warningTaken = !this.events("warned", state);
    this.view.show(this.#warningTaken ? { ...state, phase: PHASE.ACTIVE } : state, received);
    if (resumed) this.events("resumed", state);
  }

  /** Forget the session that has ended; the state of the next one, unless that has ended too, restores the content. */
  reset() {
    this.#shown = null;
    this.#resuming = true;
  }
}

/**
 * @param {State | null} before
 * @param {State} now
 */
function differs(before, now) {
  return before?.phase !== now.phase || before.offline !== now.offline || before.hidden !== now.hidden;
}
