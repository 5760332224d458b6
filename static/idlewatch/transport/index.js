/** The client's one way to the server: the socket, or HTTP while there is none. */

import { CLOSE, FRAME, PHASE } from "../core/protocol.js";
import { OVERLOAD } from "./socket.js";

/** Close codes after which no socket will work for a while. */
const LASTING = /** @type {number[]} */ ([CLOSE.ENDED, CLOSE.FORBIDDEN, ...OVERLOAD]);

/**
 * @typedef {object} TransportDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame `fresh`: the first frame after a gap.
 * @property {() => void} onUp The server can be reached, again or for the first time.
 * @property {() => void} onDown It cannot.
 */

/** Chooses between socket and polling. */
export class Transport {
  #reachable = false;

  /**
   * @param {object} options
   * @param {(delegate: TabSocketDelegate) => TabSocket} options.websocket
   * @param {(delegate: PollingDelegate) => Polling} options.polling
   * @param {() => number} options.interval Seconds between two polls.
   * @param {TransportDelegate} options.delegate
   */
  constructor({ websocket, polling, interval, delegate }) {
    this.delegate = delegate;
    this.websocket = websocket({
      onFrame: (frame, fresh) => this.#receiveBySocket(frame, fresh),
      onLoss: (loss) => this.#lose(loss),
    });
    this.polling = polling({
      onFrame: (frame, fresh) => this.#receive(frame, fresh),
      onFailure: () => this.#fail(),
      interval,
    });
  }

  /** Whether the server answers, as far as is known. A page is offline while it does not. */
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
   * Send a message by whichever way is open.
   * @param {Message} message
   * @returns {boolean} False if it cannot be delivered now.
   */
  send(message) {
    return this.websocket.send(message) || this.polling.send(message);
  }

  /**
   * Send a message while the page goes away.
   * @param {Message} message
   */
  sendLast(message) {
    if (!this.websocket.send(message) && this.polling.up) this.polling.sendLast(message);
  }

  /** Announce that the page navigates. */
  leave() {
    this.websocket.leave();
  }

  /** Try to reach the server now: the network, the tab or the machine is back. */
  hurry() {
    this.websocket.hurry();
    if (!this.websocket.up) this.polling.ask();
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #receiveBySocket(frame, fresh) {
    // An end without a reason also goes to a tab whose cookie was replaced while it connected, by a sign-in elsewhere:
    // the close that follows makes it ask again, with the new cookie.
    if (frame.type === FRAME.STATE && frame.phase === PHASE.ENDED && frame.reason === null) return;
    if (this.websocket.up) this.polling.stop();
    this.#receive(frame, fresh);
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #receive(frame, fresh) {
    this.#reachable = true;
    this.delegate.onFrame(frame, fresh);
    if (fresh) this.delegate.onUp();
  }

  /** @param {Loss} loss */
  #lose({ code, wasUp, timedOut }) {
    // A socket that was just lost mostly comes back at the first attempt.
    if (!wasUp || timedOut || LASTING.includes(code)) this.polling.start();
    if (!this.polling.up) this.#fail();
  }

  #fail() {
    if (!this.#reachable) return;
    this.#reachable = false;
    this.delegate.onDown();
  }
}
