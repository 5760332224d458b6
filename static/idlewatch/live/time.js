/** The server's time, as the page knows it. */

/** Goes on by the page's own clock from what the server said last. */
export class ServerTime {
  #said = 0;
  #heard = /** @type {Moment | null} */ (null);

  /** @param {Clock} clock */
  constructor(clock) {
    this.clock = clock;
  }

  /** @param {number} now Epoch seconds, as a frame that has just come says it. */
  hear(now) {
    this.#said = now;
    this.#heard = this.clock.now();
  }

  /** Epoch seconds. */
  now() {
    return this.#heard === null ? this.clock.now().wall : this.#said + this.clock.since(this.#heard);
  }
}
