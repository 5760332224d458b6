/** A countdown for screen readers: announced at steps, as one that speaks each second is unusable (WCAG 4.1.3). */

/** Seconds. */
const MINUTE = 60;
/** Seconds left at which it is announced within the last minute. */
const LAST_STEPS = [10, 30, MINUTE];

/** Announces the time left when it passes a step: each full minute, then 30 and 10 seconds. */
export class Announcer {
  #step = Infinity;

  /** @param {(seconds: number) => void} announce Gets the time left, rounded to the step. */
  constructor(announce) {
    this.announce = announce;
  }

  /**
   * Begin a countdown. Its first step is in what is read out at the beginning.
   * @param {number} remaining Seconds.
   */
  begin(remaining) {
    this.#step = stepAt(remaining);
  }

  /** @param {number} remaining Seconds. */
  tick(remaining) {
    const step = stepAt(remaining);
    if (remaining > 0 && step < this.#step) this.announce(step);
    this.#step = step;
  }
}

/**
 * Return the step that was passed last: the smallest that is not below the time left.
 * @param {number} remaining
 */
function stepAt(remaining) {
  return LAST_STEPS.find((step) => Math.ceil(remaining) <= step) ?? Math.ceil(remaining / MINUTE) * MINUTE;
}
