/** Questions to the server: for the state, not more often than it can answer, and for an extension. */

import { MESSAGE, PHASE } from "./protocol.js";

/** Seconds between two questions. */
const ASK_EVERY = 2;
/** The share of a heartbeat without a frame that counts as silence: a timer may fire a little early. */
const SILENT_AFTER = 0.9;

/** Remembers what it asked, and when the server last sent something. */
export class Inquiry {
  #askedAt = /** @type {Moment | null} */ (null);
  #receivedAt = /** @type {Moment | null} */ (null);
  #extending = false;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(message: Message) => boolean} options.send
   * @param {() => boolean} options.visible Whether the user can see the page.
   */
  constructor({ clock, send, visible }) {
    this.clock = clock;
    this.send = send;
    this.visible = visible;
  }

  /** Ask, unless the answer may be on its way. */
  ask() {
    if (this.#askedAt !== null && this.clock.since(this.#askedAt) < ASK_EVERY) return;
    if (this.send({ type: MESSAGE.SYNC })) this.#askedAt = this.clock.now();
  }

  /**
   * Ask for an extension.
   * @returns {boolean} Whether the question was sent; otherwise `repeat` sends it.
   */
  extend() {
    this.#extending = true;
    return this.repeat();
  }

  /** Ask again for the extension that was not granted yet: the server may have missed the question. */
  repeat() {
    return this.#extending && this.send({ type: MESSAGE.EXTEND });
  }

  /** Take note of a frame. */
  received() {
    this.#receivedAt = this.clock.now();
  }

  /**
   * Take note of the answer.
   * @param {StateFrame} frame
   */
  answered({ phase }) {
    this.#askedAt = null;
    if (phase !== PHASE.WARNED) this.#extending = false;
  }

  /**
   * Return whether a visible page should check that the server is there, as it has sent nothing for a heartbeat: it does not
   * answer activity, and some proxies swallow frames without closing the socket. A hidden page can wait.
   * @param {number} heartbeat Seconds.
   */
  isDoubtful(heartbeat) {
    return this.visible() && this.#receivedAt !== null && this.clock.since(this.#receivedAt) > heartbeat * SILENT_AFTER;
  }
}
