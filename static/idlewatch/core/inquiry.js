/** Asks the server for the state, not more often than it can answer. */

import { MESSAGE } from "./protocol.js";

/** Seconds between two questions. */
const ASK_EVERY = 2;
/** The share of a heartbeat without a frame that counts as silence: a timer may fire a little early. */
const SILENT_AFTER = 0.9;

/** Remembers when it asked and when the server last sent something. */
export class Inquiry {
  #askedAt = /** @type {Moment | null} */ (null);
  #receivedAt = /** @type {Moment | null} */ (null);

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(message: Message) => boolean} options.send
   */
  constructor({ clock, send }) {
    this.clock = clock;
    this.send = send;
  }

  /** Ask, unless the answer may be on its way. */
  ask() {
    if (this.#askedAt !== null && this.clock.since(this.#askedAt) < ASK_EVERY) return;
    if (this.send({ type: MESSAGE.SYNC })) this.#askedAt = this.clock.now();
  }

  /** Take note of a frame. */
  received() {
    this.#receivedAt = this.clock.now();
  }

  /** Take note of the answer. */
  answered() {
    this.#askedAt = null;
  }

  /**
   * Return whether the server has sent nothing for a heartbeat. It does not answer activity, and some proxies swallow frames
   * without closing the socket.
   * @param {number} heartbeat Seconds.
   */
  isSilent(heartbeat) {
    return this.#receivedAt !== null && this.clock.since(this.#receivedAt) > heartbeat * SILENT_AFTER;
  }
}
