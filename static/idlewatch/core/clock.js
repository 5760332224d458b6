/** The page's time, in seconds, and its timers. */

/** @typedef {{monotonic: number, wall: number}} Moment */

/** Tells how long ago a moment was, and calls back later; tests put their own in its place. */
export class Clock {
  /** @returns {Moment} */
  now() {
    return { monotonic: performance.now() / 1000, wall: Date.now() / 1000 };
  }

  /**
   * Seconds since a moment, never negative. The monotonic clock stands still while most machines sleep (hr-time#115),
   * the wall clock may be set back: whichever says more is believed, for it errs towards asking the server.
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
   * @returns {() => void} Cancels it; harmless afterwards.
   */
  after(seconds, callback) {
    // Beyond 2³¹ ms a browser fires at once.
    const id = setTimeout(callback, Math.min(seconds, 86400) * 1000);
    return () => clearTimeout(id);
  }
}
