/** Reports the user's activity to the server, at most once per heartbeat. */

import { Timer } from "./clock.js";
import { LIMIT, MESSAGE } from "./protocol.js";

/** Moments kept while the server cannot be reached: with the spacing between them, more than one idle timeout needs. */
const MAX_UNSENT = 20;

/**
 * Reports on the leading and the trailing edge: the first act after a pause at once, and the last one before a pause when
 * the heartbeat is over.
 */
export class ActivityReporter {
  /** Oldest first. */
  #unsent = /** @type {Moment[]} */ ([]);
  #last = /** @type {Moment | null} */ (null);
  #pause;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(message: Message) => boolean} options.send Returns false if the message cannot be delivered now.
   * @param {number} options.heartbeat Seconds between two messages.
   */
  constructor({ clock, send, heartbeat }) {
    this.clock = clock;
    this.send = send;
    this.heartbeat = heartbeat;
    /** Seconds between two moments that are kept while the server cannot be reached. */
    this.spacing = heartbeat;
    this.#pause = new Timer(clock, () => this.flush());
  }

  /**
   * Follow the limits of the session. Moments that are half the time until the warning apart carry each other.
   * @param {StateFrame} frame
   */
  follow({ heartbeat, idle_timeout: idleTimeout, warn_before: warnBefore }) {
    this.heartbeat = heartbeat;
    this.spacing = Math.max(1, (idleTimeout - warnBefore) / 2);
  }

  /** Forget everything: the session is over. */
  stop() {
    this.#pause.cancel();
    this.#unsent = [];
    this.#last = null;
  }

  /** Take note that the user acts now. */
  record() {
    this.#last = this.clock.now();
    this.#keep(this.#last);
    if (!this.#pause.running) this.flush();
  }

  /** Send the last unsent moment, and begin the pause before the next. */
  flush() {
    const last = this.#unsent.at(-1);
    if (last === undefined) return;
    this.#pause.start(this.heartbeat);
    if (this.#report(last)) this.#unsent = [];
  }

  /** Send every unsent moment, oldest first. */
  release() {
    if (this.#unsent.length > 0) this.#pause.start(this.heartbeat);
    while (this.#unsent.length > 0 && this.#report(this.#unsent[0])) this.#unsent.shift();
  }

  /** Send what a server missed while it was away, or at least the last moment, which it may have forgotten. */
  replay() {
    if (this.#unsent.length === 0 && this.#last !== null) this.#unsent = [this.#last];
    this.release();
  }

  /** Return the message that is still unsent, if there is one: the page goes away. */
  takeUnsent() {
    const last = this.#unsent.at(-1);
    this.#pause.cancel();
    this.#unsent = [];
    return last === undefined ? [] : [this.#message(last)];
  }

  /**
   * Keep a few moments apart from each other, not the last one alone: by itself it may lie where the server would have
   * warned already, and be ignored.
   * @param {Moment} moment
   */
  #keep(moment) {
    const unsent = this.#unsent;
    const before = unsent.at(-2);
    if (before !== undefined && this.clock.since(before) < this.spacing) unsent.pop();
    unsent.push(moment);
    if (unsent.length > MAX_UNSENT) unsent.shift();
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
