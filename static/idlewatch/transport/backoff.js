/** How long to wait before the next attempt. */

/**
 * Exponential backoff with full jitter: each wait is drawn evenly from 0 to a bound that doubles, so that thousands of
 * pages that lost the same server come back spread out.
 */
export class Backoff {
  #attempts = 0;

  /**
   * @param {object} options
   * @param {number} options.base Seconds: the first bound.
   * @param {number} options.cap Seconds: the last bound.
   * @param {() => number} [options.random] Even over 0 to 1.
   */
  constructor({ base, cap, random = Math.random }) {
    this.base = base;
    this.cap = cap;
    this.random = random;
  }

  /** Draw the next wait, in seconds. */
  next() {
    // Without a bound the exponent of a page that is offline for a week would give infinity.
    const bound = Math.min(this.cap, this.base * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return this.random() * bound;
  }

  /** Start over after a success. */
  reset() {
    this.#attempts = 0;
  }
}
