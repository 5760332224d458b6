/** The tab's socket to the server. */

import { CLOSE, FRAME, MESSAGE, parse } from "../core/protocol.js";
import { BLOCKED, ReconnectingSocket } from "./socket.js";

/** Seconds for an answer: a stopped process, or a proxy that swallows frames, gives none. */
const ANSWER_TIMEOUT = 5;
/** Seconds that a socket must live before its loss counts as a first one. */
const STABLE_AFTER = 10;
/** Seconds over which tabs come back after a loss: whatever the code, a server may have lost all of them at once. */
const SPREAD = 5;
/** Seconds after which a page that announced a navigation and is still there connects again. */
const NAVIGATION_TIMEOUT = 2;
/** The messages that the server answers. */
const QUESTIONS = /** @type {string[]} */ ([MESSAGE.EXTEND, MESSAGE.SYNC]);

/**
 * @typedef {object} TabSocketDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame `fresh`: the first of this socket.
 * @property {(loss: Loss) => void} onLoss
 */

/** Exchanges frames with the server; up once the server has sent the state. */
export class TabSocket extends ReconnectingSocket {
  #delegate;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {() => WebSocket} options.open Makes a socket; may throw.
   * @param {TabSocketDelegate} options.delegate
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ delegate, ...options }) {
    super({
      ...options,
      final: [CLOSE.FORBIDDEN, BLOCKED],
      spread: SPREAD,
      stable: STABLE_AFTER,
      delegate: { onMessage: (data) => this.#receive(data), onLoss: delegate.onLoss },
    });
    this.#delegate = delegate;
  }

  /** Announce that the page navigates, while it still can; a download leaves it where it is, and it connects again. */
  leave() {
    if (this.up) this.suspend(NAVIGATION_TIMEOUT);
  }

  /**
   * Send a message if the socket is up.
   * @param {Message} message
   * @returns {boolean}
   */
  send(message) {
    if (!this.up || !super.send(message)) return false;
    if (QUESTIONS.includes(message.type)) this.expectAnswer(ANSWER_TIMEOUT);
    return true;
  }

  /** @param {unknown} data */
  #receive(data) {
    const frame = parse(data);
    if (frame === null) return;
    const fresh = !this.up;
    if (frame.type === FRAME.STATE || this.up) this.answered();
    this.#delegate.onFrame(frame, fresh);
  }
}
