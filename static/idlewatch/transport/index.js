/** One way to the server for the rest of the client: the socket, or HTTP where there is none. */

import { CLOSE, FRAME, PHASE } from "../core/protocol.js";

/** Losses after which another socket will not do, or not soon. */
const LASTING = /** @type {number[]} */ ([CLOSE.ENDED, CLOSE.FORBIDDEN, CLOSE.TOO_MANY, CLOSE.BAD_MESSAGES]);

/**
 * @typedef {object} TransportDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame
 * @property {() => void} onUp The server can be reached, again or for the first time.
 * @property {() => void} onDown It can't.
 */

/** Chooses between socket and polling. */
export class Transport {
  #reachable = false;

  /**
   * @param {object} options
   * @param {(delegate: TabSocketDelegate) => TabSocket} options.websocket
   * @param {(delegate: PollingDelegate) => Polling} options.polling
   * @param {() => number} options.interval Seconds between two polls, as things stand.
   * @param {TransportDelegate} options.delegate
   */
  constructor({ websocket, polling, interval, delegate }) {
    this.delegate = delegate;
    this.websocket = websocket({
      onFrame: (frame, fresh) => this.#hearSocket(frame, fresh),
      onLoss: (loss) => this.#lose(loss),
    });
    this.polling = polling({
      onFrame: (frame, fresh) => this.#hear(frame, fresh),
      onFailure: () => this.#sink(),
      interval,
    });
  }

  /** Whether the server answers, as far as is known: false is what the page calls offline. */
  get reachable() {
    return this.#reachable;
  }

  start() {
    // The page itself has just come from the server: it is not offline before an attempt has failed.
    this.#reachable = true;
    this.websocket.start();
  }

  /** @param {number} [code] */
  stop(code) {
    this.websocket.stop(code);
    this.polling.stop();
    this.#reachable = false;
  }

  /**
   * Send by whatever way is open.
   * @param {Message} message
   * @returns {boolean} False where it would be lost.
   */
  send(message) {
    return this.websocket.send(message) || this.polling.send(message);
  }

  /**
   * Say a last word while the page goes away.
   * @param {Message} message
   */
  part(message) {
    if (!this.websocket.send(message) && this.polling.up) this.polling.part(message);
  }

  /** The page is about to go elsewhere. */
  leave() {
    this.websocket.leave();
  }

  /** Look for the server now: the network, the tab or the machine came back. */
  hurry() {
    this.websocket.hurry();
    if (!this.websocket.up) this.polling.ask();
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #hearSocket(frame, fresh) {
    // "No session, who knows why" is also said to a tab whose cookie was replaced while it connected, by a sign-in
    // elsewhere: the close that follows makes it ask again, with the new one.
    if (frame.type === FRAME.STATE && frame.phase === PHASE.ENDED && frame.reason === null) return;
    if (this.websocket.up) this.polling.stop();
    this.#hear(frame, fresh);
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #hear(frame, fresh) {
    this.#reachable = true;
    this.delegate.onFrame(frame, fresh);
    if (fresh) this.delegate.onUp();
  }

  /** @param {Loss} loss */
  #lose({ code, wasUp, timedOut }) {
    // One quick attempt first: a socket that was just lost mostly comes back.
    if (!wasUp || timedOut || LASTING.includes(code)) this.polling.start();
    if (!this.polling.up) this.#sink();
  }

  #sink() {
    if (!this.#reachable) return;
    this.#reachable = false;
    this.delegate.onDown();
  }
}
