/** A countdown for the ear: told at steps, for one that speaks each second can't be listened to (WCAG 4.1.3). */

const MINUTE = 60;
/** Seconds left at which it speaks within the last minute. */
const LAST_STEPS = [10, 30, MINUTE];

/** Speaks when the time left passes a step: each full minute, then 30 and 10 seconds. */
export class Announcer {
  #step = Infinity;

  /** @param {(seconds: number) => void} speak Gets the time left, rounded to the step. */
  constructor(speak) {
    this.speak = speak;
  }

  /**
   * Begin a countdown. What the dialog says as it opens is not said twice.
   * @param {number} remaining Seconds.
   */
  start(remaining) {
    this.#step = stepAt(remaining);
  }

  /** @param {number} remaining Seconds. */
  tick(remaining) {
    const step = stepAt(remaining);
    if (remaining > 0 && step < this.#step) this.speak(step);
    this.#step = step;
  }
}

/**
 * The step that was passed last: the smallest that is not below the time left.
 * @param {number} remaining
 */
function stepAt(remaining) {
  return LAST_STEPS.find((step) => Math.ceil(remaining) <= step) ?? Math.ceil(remaining / MINUTE) * MINUTE;
}
