/** The same messages over HTTP, for a network that blocks sockets. */

import { Timer } from "../core/clock.js";
import { MESSAGE, parse } from "../core/protocol.js";
import { request } from "./request.js";

/** Seconds without an answer after which a request has failed. */
const ANSWER_TIMEOUT = 5;
/** Statuses that come with a frame: the state, a refused message, an ended session. */
const FRAME_STATUSES = [200, 400, 401];

/**
 * @typedef {object} PollingDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame `fresh`: the first after a start or a failure.
 * @property {() => void} onFailure
 * @property {() => number} interval Seconds between two polls.
 */

/** Polls the state, and sends messages in between; one request at a time, which keeps their order. */
export class Polling {
  #running = /** @type {AbortController | null} */ (null);
  #queue = /** @type {Message[]} */ ([]);
  #busy = false;
  #fresh = true;
  #next;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff
   * @param {{state: string, message: string, csrf: string, csrfHeader: string, token: string}} options.server Addresses and tokens, which are
   *   read at each request: they change when the user signs in again.
   * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
   * @param {PollingDelegate} options.delegate
   */
  constructor({ clock, backoff, server, fetch, delegate }) {
    this.clock = clock;
    this.backoff = backoff;
    this.server = server;
    this.fetch = fetch;
    this.delegate = delegate;
    this.#next = new Timer(clock, () => this.ask());
  }

  /** Whether it is running, and its last request was answered. */
  get up() {
    return this.#running !== null && !this.#fresh;
  }

  start() {
    if (this.#running !== null) return;
    this.#running = new AbortController();
    this.#fresh = true;
    this.ask();
  }

  /** Stop, and ignore what is under way: its answer would be older than what comes by another way. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#next.cancel();
    this.#queue = [];
    this.#busy = false;
  }

  /**
   * Send a message when its turn comes.
   * @param {Message} message
   * @returns {boolean} False if it cannot be delivered now.
   */
  send(message) {
    if (!this.up) return false;
    if (message.type === MESSAGE.SYNC) {
      this.ask();
      return true;
    }
    this.#queue.push(message);
    void this.#work();
    return true;
  }

  /** Poll the state now. The answer to a message is the state too. */
  ask() {
    this.#next.cancel();
    if (this.#running !== null) void this.#work();
  }

  /**
   * Send a message while the page goes away, without waiting for its answer.
   * @param {Message} message
   */
  sendLast(message) {
    void this.#request(message, { keepalive: true }).catch(() => {});
  }

  async #work() {
    const running = this.#running;
    if (this.#busy || running === null) return;
    this.#busy = true;
    do {
      const answered = await this.#exchange(this.#queue.shift(), running.signal);
      if (running.signal.aborted) return;
      // Nothing is lost: activity and holds are sent again when the server is back.
      if (!answered) this.#queue = [];
    } while (this.#queue.length > 0);
    this.#busy = false;
    this.#next.start(this.#fresh ? this.backoff.next() + 1 : this.delegate.interval());
  }

  /**
   * @param {Message | undefined} message
   * @param {AbortSignal} stopped
   * @returns {Promise<boolean>} Whether the server answered with a frame.
   */
  async #exchange(message, stopped) {
    const timeout = new AbortController();
    const abort = () => timeout.abort();
    const cancel = this.clock.after(ANSWER_TIMEOUT, abort);
    stopped.addEventListener("abort", abort);
    const frame = await this.#request(message, { signal: timeout.signal }).then(readFrame, () => null);
    cancel();
    stopped.removeEventListener("abort", abort);
    return !stopped.aborted && this.#receive(frame);
  }

  /** @param {Frame | null} frame */
  #receive(frame) {
    const fresh = this.#fresh;
    this.#fresh = frame === null;
    if (frame === null) {
      this.delegate.onFailure();
      return false;
    }
    this.backoff.reset();
    this.delegate.onFrame(frame, fresh);
    return true;
  }

  /**
   * @param {Message | undefined} message Without one, the state is asked for.
   * @param {RequestInit} options
   */
  #request(message, options) {
    const { state, message: post } = this.server;
    return request(this, message === undefined ? state : post, message, options);
  }
}

/**
 * Read a frame; null for anything that does not come from the server itself.
 * @param {Response} response
 * @returns {Promise<Frame | null>}
 */
async function readFrame(response) {
  if (!FRAME_STATUSES.includes(response.status)) return null;
  return parse(await response.text().catch(() => null));
}
