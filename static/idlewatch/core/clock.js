/** The page's time, in seconds, and its timers. */

/** @typedef {{monotonic: number, wall: number}} Moment */

/** Measures the time since a moment, and calls back later. Tests replace it. */
export class Clock {
  /** @returns {Moment} */
  now() {
    return { monotonic: performance.now() / 1000, wall: Date.now() / 1000 };
  }

  /**
   * Return the seconds since a moment, never negative. The monotonic clock stands still while most machines sleep
   * (hr-time#115), and the wall clock may be set back: the larger difference counts, as it errs towards asking the server.
   * @param {Moment} moment
   */
  since(moment) {
    const now = this.now();
    return Math.max(0, now.monotonic - moment.monotonic, now.wall - moment.wall);
  }

  /**
   * Call back once.
   * @param {number} seconds
   * @param {() => void} callback
   * @returns {() => void} Cancels the call; harmless afterwards.
   */
  after(seconds, callback) {
    // Beyond 2³¹ ms a browser fires at once.
    const id = setTimeout(callback, Math.min(seconds, 86400) * 1000);
    return () => clearTimeout(id);
  }
}

/** Holds at most one pending call. */
export class Timer {
  #pending = /** @type {(() => void) | null} */ (null);

  /**
   * @param {Clock} clock
   * @param {() => void} callback
   */
  constructor(clock, callback) {
    this.clock = clock;
    this.callback = callback;
  }

  /** Whether a call is pending. */
  get running() {
    return this.#pending !== null;
  }

  /** @param {number} seconds From now; replaces a pending call. */
  start(seconds) {
    this.cancel();
    this.#pending = this.clock.after(seconds, () => {
      this.#pending = null;
      this.callback();
    });
  }

  cancel() {
    this.#pending?.();
    this.#pending = null;
  }
}
