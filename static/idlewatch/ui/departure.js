/** The way to the sign-in page after the end of a session. */

import { Timer } from "../core/clock.js";

/** Seconds to read the reason. */
const READING_TIME = 2;

/** Leaves the page once the user could read why. */
export class Departure {
  #address = /** @type {string | null} */ (null);
  #reading;

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {() => boolean} options.isLeaving Whether the page navigates already.
   */
  constructor({ window, clock, isLeaving }) {
    this.window = window;
    this.isLeaving = isLeaving;
    this.#reading = new Timer(clock, () => this.#go());
  }

  /** @param {string} address */
  begin(address) {
    this.#address = address;
    this.#wait();
  }

  cancel() {
    this.#address = null;
    this.#reading.clear();
  }

  #wait() {
    if (this.#address === null) return;
    const { document } = this.window;
    // A hidden tab waits until it is visible: the sign-in page shows the reason in one tab only.
    if (document.visibilityState !== "hidden") this.#reading.set(READING_TIME);
    else document.addEventListener("visibilitychange", () => this.#wait(), { once: true });
  }

  #go() {
    if (this.#address !== null && !this.isLeaving()) this.window.location.assign(this.#address);
  }
}
