/** One timer that is set, set anew, and cleared. */

/** Keeps at most one call ahead. */
export class Timer {
  #cancel = /** @type {(() => void) | null} */ (null);

  /**
   * @param {Clock} clock
   * @param {() => void} callback
   */
  constructor(clock, callback) {
    this.clock = clock;
    this.callback = callback;
  }

  /** Whether a call is ahead. */
  get running() {
    return this.#cancel !== null;
  }

  /** @param {number} seconds From now; a call that was ahead is dropped. */
  set(seconds) {
    this.clear();
    this.#cancel = this.clock.after(seconds, () => {
      this.#cancel = null;
      this.callback();
    });
  }

  clear() {
    this.#cancel?.();
    this.#cancel = null;
  }
}
