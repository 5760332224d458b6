/** The socket to the server, kept open. */

import { CLOSE, FRAME, MESSAGE, parse } from "../core/protocol.js";
import { Timer } from "../core/timer.js";

/** Seconds without an answer after which the peer counts as gone: a stopped process, a proxy that swallows frames. */
const PATIENCE = 5;
/** Seconds for the handshake and the first frame: several round trips on a slow network. */
const HANDSHAKE = 10;
/** Seconds that a socket must live before the next loss counts as a first one. */
const STABLE = 10;
/** Seconds, before jitter, to stay away when the server said that it was too much. */
const KEEP_OFF = 60;
/** Seconds over which pages come back that a server has sent away. */
const SPREAD = 5;

const OPEN = 1;

/** Seconds that a page that goes elsewhere may take to be gone, before it connects again. */
const LINGER = 2;

/**
 * @typedef {object} TabSocketDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame `fresh`: the first of this socket.
 * @property {(loss: {code: number, wasUp: boolean, silent: boolean}) => void} onLoss `wasUp`: the server had spoken;
 *   `silent`: it owed an answer.
 */

/** Opens the socket, opens it again when it is lost, and notices when nobody is at the other end. */
export class TabSocket {
  #socket = /** @type {WebSocket | null} */ (null);
  #opened = /** @type {Moment | null} */ (null);
  #up = false;
  #started = false;
  #answer;
  #retry;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {() => WebSocket} options.open Makes a socket; may throw.
   * @param {TabSocketDelegate} options.delegate
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ clock, backoff, open, delegate, random = Math.random }) {
    this.clock = clock;
    this.backoff = backoff;
    this.open = open;
    this.delegate = delegate;
    this.random = random;
    this.#answer = new Timer(clock, () => this.#lose(CLOSE.NAVIGATED, true));
    this.#retry = new Timer(clock, () => this.#connect());
  }

  /** Whether the server speaks on this socket. */
  get up() {
    return this.#up;
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    this.#connect();
  }

  /** @param {number} [code] Tells the server whether the page is closed, or goes elsewhere. */
  stop(code = CLOSE.CLOSED) {
    this.#started = false;
    this.#retry.clear();
    this.#discard(code);
  }

  /** The page goes elsewhere, and says so while it can; should it stay after all, as for a download, it connects again. */
  leave() {
    if (!this.#up) return;
    this.#discard(CLOSE.NAVIGATED);
    this.#retry.set(LINGER);
  }

  /**
   * Send a message if the socket is open.
   * @param {Message} message
   * @returns {boolean}
   */
  send(message) {
    if (!this.#up || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    if (message.type === MESSAGE.EXTEND || message.type === MESSAGE.SYNC) this.#expectAnswer();
    return true;
  }

  /** Try at once instead of waiting: the network, the tab or the machine came back. */
  hurry() {
    if (this.#retry.running) this.#connect();
  }

  #connect() {
    this.#retry.clear();
    try {
      this.#listen(this.open());
    } catch {
      // A policy of the page or of the browser forbids sockets.
      this.#lost(CLOSE.FORBIDDEN, false);
    }
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    this.#opened = this.clock.now();
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => this.#lose(event.code, false);
    this.#answer.set(HANDSHAKE);
  }

  /** Only `extend` and `sync` have an answer; a second one does not put the first one's time off. */
  #expectAnswer() {
    if (!this.#answer.running) this.#answer.set(PATIENCE);
  }

  /** @param {unknown} data */
  #hear(data) {
    const frame = parse(data);
    if (frame === null) return;
    const fresh = !this.#up;
    if (frame.type === FRAME.STATE) this.#up = true;
    if (this.#up) this.#answer.clear();
    this.delegate.onFrame(frame, fresh);
  }

  /**
   * @param {number} code
   * @param {boolean} silent
   */
  #lose(code, silent) {
    const wasUp = this.#up;
    // 4000, not 1000: a page that gives a dead socket up is not being closed.
    this.#discard(CLOSE.NAVIGATED);
    this.#lost(code, silent, wasUp);
  }

  /**
   * @param {number} code
   * @param {boolean} silent
   * @param {boolean} [wasUp]
   */
  #lost(code, silent, wasUp = false) {
    if (!this.#started) return;
    if (wasUp && this.#opened !== null && this.clock.since(this.#opened) >= STABLE) this.backoff.reset();
    if (code !== CLOSE.FORBIDDEN) this.#retry.set(this.#wait(code));
    this.delegate.onLoss({ code, wasUp, silent });
  }

  /** @param {number} code */
  #wait(code) {
    const wait = this.backoff.next();
    if (code === CLOSE.TOO_MANY || code === CLOSE.BAD_MESSAGES) return KEEP_OFF * (1 + this.random()) + wait;
    if (code === CLOSE.GOING_AWAY) return Math.max(wait, this.random() * SPREAD);
    return wait;
  }

  /**
   * Let go of the socket without waiting for its closing handshake: a dead peer answers it after minutes.
   * @param {number} code
   */
  #discard(code) {
    const socket = this.#socket;
    this.#answer.clear();
    this.#up = false;
    this.#socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState <= OPEN) socket.close(code);
  }
}
