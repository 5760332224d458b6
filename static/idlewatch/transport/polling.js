/** The way around a network that blocks sockets: the same messages over HTTP. */

import { MESSAGE, parse } from "../core/protocol.js";
import { Timer } from "../core/clock.js";
import { request } from "./request.js";

/** Seconds without an answer after which a request counts as failed. */
const PATIENCE = 5;
/** What the server says with a frame: the state, a refused message, an ended session. */
const ANSWERS = [200, 400, 401];

/**
 * @typedef {object} PollingDelegate
 * @property {(frame: Frame, fresh: boolean) => void} onFrame `fresh`: the first after a start or a failure.
 * @property {() => void} onFailure
 * @property {() => number} interval Seconds between two questions, as things stand.
 */

/** Asks for the state again and again, and takes messages in between; one request at a time, so that order holds. */
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
   * @param {{state: string, message: string, csrf: string, token: string}} options.server Addresses, and the tokens;
   *   read at each request, for a new sign-in brings new ones.
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

  /** Whether it is at work and its last request was answered. */
  get up() {
    return this.#running !== null && !this.#fresh;
  }

  start() {
    if (this.#running !== null) return;
    this.#running = new AbortController();
    this.#fresh = true;
    this.ask();
  }

  /** Drop what is under way: its answer would be older than what comes by another way. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#next.clear();
    this.#queue = [];
    this.#busy = false;
  }

  /**
   * Send a message, in its turn.
   * @param {Message} message
   * @returns {boolean} False where it would be lost.
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

  /** Ask for the state now; every other answer says it too. */
  ask() {
    this.#next.clear();
    if (this.#running !== null) void this.#work();
  }

  /**
   * Say a last word while the page goes away, where no answer can be waited for.
   * @param {Message} message
   */
  part(message) {
    void this.#request(message, { keepalive: true }).catch(() => {});
  }

  async #work() {
    const running = this.#running;
    if (this.#busy || running === null) return;
    this.#busy = true;
    do {
      const answered = await this.#exchange(this.#queue.shift(), running.signal);
      if (running.signal.aborted) return;
      // What was not delivered is said anew on the way back: activity with its age, holds by their renewal.
      if (!answered) this.#queue = [];
    } while (this.#queue.length > 0);
    this.#busy = false;
    this.#next.set(this.#fresh ? this.backoff.next() + 1 : this.delegate.interval());
  }

  /**
   * @param {Message | undefined} message
   * @param {AbortSignal} stopped
   * @returns {Promise<boolean>} Whether the server answered with a frame.
   */
  async #exchange(message, stopped) {
    const patience = new AbortController();
    const abort = () => patience.abort();
    const cancel = this.clock.after(PATIENCE, abort);
    stopped.addEventListener("abort", abort);
    const frame = await this.#request(message, { signal: patience.signal }).then(read, () => null);
    cancel();
    stopped.removeEventListener("abort", abort);
    if (stopped.aborted) return false;
    return this.#judge(frame);
  }

  /** @param {Frame | null} frame */
  #judge(frame) {
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
   * @param {Message | undefined} message None: ask for the state.
   * @param {RequestInit} options
   */
  #request(message, options) {
    const { state, message: post } = this.server;
    return request(this, message === undefined ? state : post, message, options);
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Frame | null>} Null for anything that does not come from the server itself.
 */
async function read(response) {
  if (!ANSWERS.includes(response.status)) return null;
  return parse(await response.text().catch(() => null));
}
