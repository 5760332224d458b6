/** What the page knows of its session, and what it makes of that as time goes by. */

import { PHASE, REASON } from "./protocol.js";

/**
 * @typedef {StateFrame & {offline: boolean, hidden: boolean}} State The last frame with what became of it here:
 *   `remaining` as of now; `offline`, cut off from the server; `hidden`, the content waits for the server's word.
 */

/** Believes the server, orders what it says, and keeps the clock while it says nothing. */
export class Session {
  #frame = /** @type {StateFrame | null} */ (null);
  #came = /** @type {Moment | null} */ (null);
  #acted = /** @type {Moment | null} */ (null);
  #hidden = false;

  /** @param {Clock} clock */
  constructor(clock) {
    this.clock = clock;
  }

  /** The last frame as it came; null before the first. */
  get frame() {
    return this.#frame;
  }

  /** Whether the session has ended, for good. */
  get ended() {
    return this.#frame?.phase === PHASE.ENDED;
  }

  /**
   * Take a frame, unless a later one came before it.
   * @param {StateFrame} frame
   * @param {{fresh?: boolean}} [options] `fresh`: the first answer after a gap. It counts whatever its version is, for
   *   a server that lost its memory begins to count anew.
   * @returns {boolean} Whether it was taken.
   */
  accept(frame, { fresh = false } = {}) {
    if (this.ended) return false;
    const late = this.#frame !== null && frame.version < this.#frame.version;
    if (late && !fresh && frame.phase !== PHASE.ENDED) return false;
    this.#frame = frame;
    this.#came = this.clock.now();
    this.#hidden = false;
    return true;
  }

  /** The user acted: restarts the idle clock that is kept here. One that has run out waits for the server. */
  touch() {
    if (!this.#hidden) this.#acted = this.clock.now();
  }

  /** Hide the content until the server has spoken: nobody knows what happened while the page lay in a cache. */
  doubt() {
    if (!this.ended) this.#hidden = true;
  }

  /** Seconds until the end, as far as the page can tell; never negative. */
  get remaining() {
    const frame = this.#frame;
    if (frame === null || this.#came === null || frame.phase === PHASE.ENDED) return 0;
    const told = frame.remaining - this.clock.since(this.#came);
    // Within the warning, acting is not staying: that takes an answer from the server.
    const restarts = frame.phase === PHASE.ACTIVE && frame.extendable && this.#acted !== null;
    const kept = restarts && this.#acted !== null ? frame.idle_timeout - this.clock.since(this.#acted) : 0;
    return Math.max(0, told, kept);
  }

  /**
   * Whether the server should be asked: by the page's own clock the session is about to change, and it is silent.
   * Another tab may have been busy all along.
   */
  get overdue() {
    const frame = this.#frame;
    if (frame === null || this.ended) return false;
    return this.remaining <= (frame.phase === PHASE.ACTIVE ? frame.warn_before - 1 : 0);
  }

  /**
   * Say where the session stands now; null before the first frame.
   * @param {{reachable: boolean}} transport
   * @returns {State | null}
   */
  look({ reachable }) {
    const frame = this.#frame;
    if (frame === null) return null;
    const remaining = this.remaining;
    if (remaining <= 0 && !this.ended) this.#hidden = true;
    const warns = !reachable && frame.phase === PHASE.ACTIVE && remaining <= frame.warn_before;
    const told = warns ? { phase: PHASE.WARNED, reason: REASON.IDLE } : {};
    const state = { ...frame, ...told, remaining, offline: !reachable && !this.ended, hidden: this.#hidden };
    return /** @type {State} */ (state);
  }
}
