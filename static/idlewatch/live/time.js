/** The server's time. */

/** Continues, by the page's clock, from what the server said last. */
export class ServerTime {
  #received = 0;
  #receivedAt = /** @type {Moment | null} */ (null);

  /** @param {Clock} clock */
  constructor(clock) {
    this.clock = clock;
  }

  /** @param {number} now Epoch seconds, from a frame that has just come. */
  set(now) {
    this.#received = now;
    this.#receivedAt = this.clock.now();
  }

  /** Return epoch seconds. */
  now() {
    return this.#receivedAt === null ? this.clock.now().wall : this.#received + this.clock.since(this.#receivedAt);
  }
}
