/** Tells the server that the user acted, seldom enough. */

import { LIMIT, MESSAGE } from "./protocol.js";
import { Timer } from "./clock.js";

/** Moments kept while the server can't be reached; with the spacing below, more than one idle limit needs. */
const MOST_KEPT = 20;

/**
 * Sends activity at its leading edge and at its trailing one, at most once a heartbeat: the first act after a quiet
 * spell goes out at once, the last one before a quiet spell is never lost.
 */
export class ActivityReporter {
  /** What is not sent yet, oldest first. */
  #held = /** @type {Moment[]} */ ([]);
  #last = /** @type {Moment | null} */ (null);
  #quiet;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(message: Message) => boolean} options.send False when it can't be delivered now.
   * @param {number} options.heartbeat Seconds between two messages, at least.
   */
  constructor({ clock, send, heartbeat }) {
    this.clock = clock;
    this.send = send;
    this.heartbeat = heartbeat;
    /** Seconds between two moments that are kept while cut off. */
    this.spacing = heartbeat;
    this.#quiet = new Timer(clock, () => this.flush());
  }

  /** When the user last acted; null before the first time. */
  get last() {
    return this.#last;
  }

  /** Forget everything: the session is over. */
  stop() {
    this.#quiet.clear();
    this.#held = [];
    this.#last = null;
  }

  /** Take note that the user acts now. */
  record() {
    this.#last = this.clock.now();
    this.#keep(this.#last);
    if (!this.#quiet.running) this.flush();
  }

  /** Send the last act that is held, if there is one; the next goes out a heartbeat later. */
  flush() {
    const last = this.#held.at(-1);
    if (last === undefined) return;
    this.#quiet.set(this.heartbeat);
    if (this.#report(last)) this.#held = [];
  }

  /** Send all that is held, oldest first. */
  release() {
    if (this.#held.length > 0) this.#quiet.set(this.heartbeat);
    while (this.#held.length > 0 && this.#report(this.#held[0])) this.#held.shift();
  }

  /** Tell a server that was away what it missed, or at least the last of what it may have forgotten. */
  replay() {
    if (this.#held.length === 0 && this.#last !== null) this.#held = [this.#last];
    this.release();
  }

  /** Hand over what is still held, for the page goes away. */
  part() {
    const last = this.#held.at(-1);
    this.#quiet.clear();
    this.#held = [];
    return last === undefined ? [] : [this.#message(last)];
  }

  /**
   * While cut off, a few moments are kept apart, not the last one alone: that one may lie where the server would
   * already have warned, and count for nothing without an earlier one to carry it.
   * @param {Moment} moment
   */
  #keep(moment) {
    const held = this.#held;
    const before = held.at(-2);
    if (before !== undefined && this.clock.since(before) < this.spacing) held.pop();
    held.push(moment);
    if (held.length > MOST_KEPT) held.shift();
  }

  /** @param {Moment} moment */
  #report(moment) {
    return this.send(this.#message(moment));
  }

  /**
   * @param {Moment} moment
   * @returns {Message}
   */
  #message(moment) {
    const ago = Math.min(this.clock.since(moment), LIMIT.AGO);
    return { type: MESSAGE.ACTIVITY, ago: Math.round(ago * 1000) / 1000 };
  }
}
