/** What the page knows of its session, and how that changes as time passes. */

import { PHASE, REASON } from "./protocol.js";

/**
 * @typedef {StateFrame & {offline: boolean, hidden: boolean}} State The last frame as of now: `remaining` has gone on,
 *   `offline` means cut off from the server, `hidden` that the content waits for the server's answer.
 */

/** Accepts frames in their order, and continues the countdown between them. */
export class Session {
  #frame = /** @type {StateFrame | null} */ (null);
  #receivedAt = /** @type {Moment | null} */ (null);
  #actedAt = /** @type {Moment | null} */ (null);
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
   * Accept a frame unless it is older than the last one.
   * @param {StateFrame} frame
   * @param {{fresh?: boolean}} [options] `fresh`: the first frame after a gap. Its version does not matter.
   * @returns {boolean} Whether it was accepted.
   */
  accept(frame, { fresh = false } = {}) {
    if (this.ended) return false;
    const outdated = this.#frame !== null && frame.version < this.#frame.version;
    if (outdated && !fresh && frame.phase !== PHASE.ENDED) return false;
    this.#frame = frame;
    this.#receivedAt = this.clock.now();
    this.#hidden = false;
    return true;
  }

  /** Restart the page's own idle clock: the user acts. A clock that has run out waits for the server. */
  touch() {
    if (!this.#hidden) this.#actedAt = this.clock.now();
  }

  /** Hide the content until the server answers: anything may have happened while the page was in a cache. */
  doubt() {
    if (!this.ended) this.#hidden = true;
  }

  /** Seconds until the end, as far as the page can tell; never negative. */
  get remaining() {
    const frame = this.#frame;
    if (frame === null || this.#receivedAt === null || frame.phase === PHASE.ENDED) return 0;
    const announced = frame.remaining - this.clock.since(this.#receivedAt);
    // During the warning, only the server extends.
    const actedAt = frame.phase === PHASE.ACTIVE && frame.extendable ? this.#actedAt : null;
    const restarted = actedAt === null ? 0 : frame.idle_timeout - this.clock.since(actedAt);
    return Math.max(0, announced, restarted);
  }

  /**
   * Whether the server should be asked: by the page's clock a change is due, and none came. The user may have been active
   * in another tab.
   */
  get overdue() {
    const frame = this.#frame;
    if (frame === null || this.ended) return false;
    return this.remaining <= (frame.phase === PHASE.ACTIVE ? frame.warn_before - 1 : 0);
  }

  /**
   * Return the state as of now; null before the first frame.
   * @param {{reachable: boolean}} transport
   * @returns {State | null}
   */
  stateNow({ reachable }) {
    const frame = this.#frame;
    if (frame === null) return null;
    const remaining = this.remaining;
    if (remaining <= 0 && !this.ended) this.#hidden = true;
    const warns = !reachable && frame.phase === PHASE.ACTIVE && remaining <= frame.warn_before;
    const warning = warns ? { phase: PHASE.WARNED, reason: REASON.IDLE } : {};
    const state = { ...frame, ...warning, remaining, offline: !reachable && !this.ended, hidden: this.#hidden };
    return /** @type {State} */ (state);
  }
}
