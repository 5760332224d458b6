/** The live page's socket. */

import { Timer } from "../core/clock.js";
import { CLOSE } from "../core/protocol.js";
import { OVERLOAD, ReconnectingSocket } from "../transport/socket.js";
import { FRAME, MESSAGE, parse } from "./protocol.js";

/** Seconds of silence after which the server is asked: it sends a sample four times a minute. */
const SILENCE_TIMEOUT = 25;
/** Seconds for the answer. */
const ANSWER_TIMEOUT = 5;
/** Seconds over which pages come back after a loss: whatever the code, a server may have lost all of them at once. */
const SPREAD = 3;
/** Close codes that are for good: the session has ended, or the permission is gone. */
const FINAL = /** @type {number[]} */ ([CLOSE.ENDED, CLOSE.FORBIDDEN]);

/**
 * @typedef {object} LiveDelegate
 * @property {(frame: LiveFrame) => void} onFrame
 * @property {() => void} onUp The server answers, again or for the first time.
 * @property {() => void} onDown It no longer does; the socket is opened again.
 * @property {(code: number) => void} onGone It never will: the code is one of `FINAL`.
 */

/** Sends the query, acknowledges each frame, and passes on those that answer the current query. */
export class LiveSocket {
  #overloaded = false;
  #queryId = 0;
  #query = /** @type {(Query & {language: string}) | null} */ (null);
  #silence;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {() => WebSocket} options.open Makes a socket; may throw.
   * @param {LiveDelegate} options.delegate
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ delegate, ...options }) {
    this.delegate = delegate;
    this.socket = new ReconnectingSocket({
      ...options,
      final: FINAL,
      spread: SPREAD,
      delegate: {
        onOpen: () => this.#ask(),
        onMessage: (data) => this.#receive(data),
        onLoss: ({ code }) => this.#lose(code),
      },
    });
    this.#silence = new Timer(options.clock, () => this.#probe());
  }

  start() {
    this.socket.start();
  }

  stop() {
    this.#silence.cancel();
    this.socket.stop();
  }

  /**
   * Ask for something else.
   * @param {Query & {language: string}} query With the language of the page.
   */
  watch(query) {
    this.#query = query;
    this.#queryId += 1;
    this.#ask();
  }

  /** Connect now instead of waiting, unless the server said that it was too much. */
  hurry() {
    if (!this.#overloaded) this.socket.hurry();
  }

  #ask() {
    if (this.#query !== null) this.socket.send({ type: MESSAGE.WATCH, query: this.#queryId, ...this.#query });
  }

  /** Ask again: a network that is gone closes no socket, only an answer shows that it is there. */
  #probe() {
    this.#queryId += 1;
    this.#ask();
    this.socket.expectAnswer(ANSWER_TIMEOUT);
  }

  /** @param {unknown} data */
  #receive(data) {
    const frame = parse(data);
    if (frame === null) return;
    const fresh = !this.socket.up;
    this.socket.answered();
    this.#silence.start(SILENCE_TIMEOUT);
    if (fresh) this.delegate.onUp();
    try {
      if (this.#isCurrent(frame)) this.delegate.onFrame(frame);
    } finally {
      if ("frame" in frame) this.socket.send({ type: MESSAGE.SEEN, frame: frame.frame });
    }
  }

  /**
   * Return whether a frame answers the current query, not an earlier one.
   * @param {LiveFrame} frame
   */
  #isCurrent(frame) {
    return (frame.type !== FRAME.PAGE && frame.type !== FRAME.CHANGES) || frame.query === this.#queryId;
  }

  /** @param {number} code */
  #lose(code) {
    this.#silence.cancel();
    this.#overloaded = OVERLOAD.includes(code);
    if (FINAL.includes(code)) this.delegate.onGone(code);
    else this.delegate.onDown();
  }
}
