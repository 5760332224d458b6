/** The live socket, kept open while somebody looks. */

import { Timer } from "../core/timer.js";
import { CLOSE, FRAME, MESSAGE, parse } from "./protocol.js";

/** Seconds for the handshake and the first frame. */
const HANDSHAKE = 10;
/** Seconds of silence after which the server is asked: it sends a sample four times a minute. */
const SILENCE = 25;
/** Seconds that it has for the answer. */
const PATIENCE = 5;
/** Seconds, before jitter, to stay away when the server said that it was too much. */
const KEEP_OFF = 60;
/** Seconds over which pages come back that a server has sent away. */
const SPREAD = 3;

const OPEN = 1;

/**
 * @typedef {object} LiveDelegate
 * @property {(frame: LiveFrame) => void} onFrame
 * @property {() => void} onUp The server speaks, again.
 * @property {() => void} onDown It does so no more; the socket is opened again.
 * @property {(code: number) => void} onGone It will not, ever: the session has ended, or the permission is gone.
 */

/** Asks for what is wanted, acknowledges what comes, and opens the socket again when it is lost. */
export class LiveSocket {
  #socket = /** @type {WebSocket | null} */ (null);
  #started = false;
  #up = false;
  #keepsOff = false;
  #query = 0;
  #wanted = /** @type {(Wanted & {language: string}) | null} */ (null);
  #retry;
  #silence;
  #asking;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {() => WebSocket} options.open Makes a socket; may throw.
   * @param {LiveDelegate} options.delegate
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ clock, backoff, open, delegate, random = Math.random }) {
    this.backoff = backoff;
    this.open = open;
    this.delegate = delegate;
    this.random = random;
    this.#retry = new Timer(clock, () => this.#connect());
    this.#silence = new Timer(clock, () => this.#lose(CLOSE.CLOSED));
    this.#asking = new Timer(clock, () => this.#probe());
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    this.#connect();
  }

  stop() {
    this.#started = false;
    this.#retry.clear();
    this.#discard();
  }

  /**
   * Look at something else.
   * @param {Wanted & {language: string}} wanted In the language of the page.
   */
  watch(wanted) {
    this.#wanted = wanted;
    this.#query += 1;
    this.#ask();
  }

  /** Try at once instead of waiting, unless the server said that it was too much. */
  hurry() {
    if (this.#retry.running && !this.#keepsOff) this.#connect();
  }

  #connect() {
    this.#retry.clear();
    try {
      const socket = this.open();
      this.#socket = socket;
      socket.onopen = () => this.#ask();
      socket.onmessage = (event) => this.#hear(event.data);
      socket.onclose = (event) => this.#lose(event.code);
      this.#silence.set(HANDSHAKE);
    } catch {
      // The network or a policy forbids it.
      this.#lose(CLOSE.CLOSED);
    }
  }

  #ask() {
    if (this.#wanted !== null) this.#send({ type: MESSAGE.WATCH, query: this.#query, ...this.#wanted });
  }

  /** A network that is gone closes nothing: only an answer shows that it is there. */
  #probe() {
    this.#query += 1;
    this.#ask();
    this.#silence.set(PATIENCE);
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** @param {unknown} data */
  #hear(data) {
    const frame = parse(data);
    if (frame === null) return;
    this.#silence.clear();
    this.#asking.set(SILENCE);
    if (!this.#up) {
      this.#up = true;
      this.backoff.reset();
      this.delegate.onUp();
    }
    try {
      if (this.#isCurrent(frame)) this.delegate.onFrame(frame);
    } finally {
      if ("frame" in frame) this.#send({ type: MESSAGE.SEEN, frame: frame.frame });
    }
  }

  /**
   * An answer to what was asked before the last question is too late.
   * @param {LiveFrame} frame
   */
  #isCurrent(frame) {
    return (frame.type !== FRAME.PAGE && frame.type !== FRAME.CHANGES) || frame.query === this.#query;
  }

  /** @param {number} code */
  #lose(code) {
    this.#discard();
    if (!this.#started) return;
    if (code === CLOSE.ENDED || code === CLOSE.FORBIDDEN) {
      this.#started = false;
      this.delegate.onGone(code);
      return;
    }
    this.#keepsOff = code === CLOSE.TOO_MANY || code === CLOSE.BAD_MESSAGES;
    this.#retry.set(this.#wait(code));
    this.delegate.onDown();
  }

  /** @param {number} code */
  #wait(code) {
    const wait = this.backoff.next();
    if (this.#keepsOff) return KEEP_OFF * (1 + this.random()) + wait;
    if (code === CLOSE.GOING_AWAY) return Math.max(wait, this.random() * SPREAD);
    return wait;
  }

  /** Let go of the socket without waiting for its closing handshake: a dead peer answers it after minutes. */
  #discard() {
    const socket = this.#socket;
    this.#silence.clear();
    this.#asking.clear();
    this.#up = false;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState <= OPEN) socket.close(CLOSE.CLOSED);
  }
}
