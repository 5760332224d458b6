/** A WebSocket that is opened again when it is lost. */

import { Timer } from "../core/clock.js";
import { CLOSE } from "../core/protocol.js";

/** Seconds for the handshake and the first answer: several round trips on a slow network. */
const HANDSHAKE_TIMEOUT = 10;
/** Seconds, before jitter, to stay away after the server said that it was too much. */
const OVERLOAD_WAIT = 60;
/** The `readyState` of an open socket. */
const OPEN = 1;

/** Close codes for a page that sent or opened too much. */
export const OVERLOAD = /** @type {number[]} */ ([CLOSE.TOO_MANY, CLOSE.BAD_MESSAGES]);
/** In place of a close code: a policy of the page or of the browser forbids sockets. */
export const BLOCKED = 0;

/**
 * @typedef {object} Loss
 * @property {number} code The close code; `NAVIGATED` after a timeout, `BLOCKED` where no socket could be made.
 * @property {boolean} wasUp The server had answered on this socket.
 * @property {boolean} timedOut The server owed an answer.
 */

/**
 * @typedef {object} SocketDelegate
 * @property {(data: unknown) => void} onMessage
 * @property {(loss: Loss) => void} onLoss
 * @property {() => void} [onOpen] The handshake is done.
 */

/** Opens a socket, detects that it is dead, and opens another after a wait, unless the loss was final. */
export class ReconnectingSocket {
  #socket = /** @type {WebSocket | null} */ (null);
  #openedAt = /** @type {Moment | null} */ (null);
  #started = false;
  #up = false;
  #timeout;
  #retry;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {() => WebSocket} options.open Makes a socket; may throw.
   * @param {SocketDelegate} options.delegate
   * @param {number[]} options.final Close codes after which there is no next attempt.
   * @param {number} options.spread Seconds over which the pages of a server that is gone come back: all lost it at once.
   * @param {number} [options.stable] Seconds that a socket must live before its loss resets the backoff.
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ clock, backoff, open, delegate, final, spread, stable = 0, random = Math.random }) {
    this.clock = clock;
    this.backoff = backoff;
    this.open = open;
    this.delegate = delegate;
    this.final = final;
    this.spread = spread;
    this.stable = stable;
    this.random = random;
    this.#timeout = new Timer(clock, () => this.#lose(CLOSE.NAVIGATED, true));
    this.#retry = new Timer(clock, () => this.#connect());
  }

  /** Whether the server has answered on the present socket. */
  get up() {
    return this.#up;
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    this.#connect();
  }

  /** @param {number} [code] */
  stop(code = CLOSE.CLOSED) {
    this.#started = false;
    this.#retry.cancel();
    this.#discard(code);
  }

  /**
   * Close the socket of a page that navigates; open another if the page is still there afterwards.
   * @param {number} seconds
   */
  suspend(seconds) {
    this.#discard(CLOSE.NAVIGATED);
    this.#retry.start(seconds);
  }

  /**
   * Send a message if the socket is open.
   * @param {object} message
   * @returns {boolean}
   */
  send(message) {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Connect now if a wait is under way. */
  hurry() {
    if (this.#retry.running) this.#connect();
  }

  /**
   * Give the socket up unless `answered` is called in time. A second call does not extend the first one's time.
   * @param {number} seconds
   */
  expectAnswer(seconds) {
    if (!this.#timeout.running) this.#timeout.start(seconds);
  }

  /** Count the server as present: it has sent something that only it can send. */
  answered() {
    this.#up = true;
    this.#timeout.cancel();
  }

  #connect() {
    this.#retry.cancel();
    try {
      this.#listen(this.open());
    } catch {
      this.#lose(BLOCKED, false);
    }
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    this.#openedAt = this.clock.now();
    socket.onopen = () => this.delegate.onOpen?.();
    socket.onmessage = (event) => this.delegate.onMessage(event.data);
    socket.onclose = (event) => this.#lose(event.code, false);
    this.#timeout.start(HANDSHAKE_TIMEOUT);
  }

  /**
   * @param {number} code
   * @param {boolean} timedOut
   */
  #lose(code, timedOut) {
    const wasUp = this.#up;
    // 4000, not 1000: a page that gives up a dead socket is not being closed.
    this.#discard(CLOSE.NAVIGATED);
    if (wasUp && this.#openedAt !== null && this.clock.since(this.#openedAt) >= this.stable) this.backoff.reset();
    if (!this.final.includes(code)) this.#retry.start(this.#wait(code));
    this.delegate.onLoss({ code, wasUp, timedOut });
  }

  /** @param {number} code */
  #wait(code) {
    const wait = this.backoff.next();
    if (OVERLOAD.includes(code)) return OVERLOAD_WAIT * (1 + this.random()) + wait;
    return Math.max(wait, this.random() * this.spread);
  }

  /**
   * Drop the socket without waiting for its closing handshake, which takes minutes with a dead peer.
   * @param {number} code
   */
  #discard(code) {
    const socket = this.#socket;
    this.#timeout.cancel();
    this.#up = false;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState <= OPEN) socket.close(code);
  }
}

/**
 * Return the address of a socket. Older browsers take absolute ones only.
 * @param {string} path
 * @param {string} page The page's address.
 */
export function socketAddress(path, page) {
  const address = new URL(path, page);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
