/** How the client leaves a page by itself: a moment after the end, and not for ever. */

import { Timer } from "../core/clock.js";
import { addressed } from "../core/protocol.js";

/** Seconds to read the reason. */
const READING_TIME = 2;
/** Pages in a row that the client leaves by itself, in one tab, without one that the server confirms. */
const MAX_DEPARTURES = 3;
/** The key in the session storage under which the tab counts them. */
const STORAGE_KEY = "idlewatch";

/** Leaves the page once the user could read why. */
export class Departure {
  #address = /** @type {string | null} */ (null);
  /** Pages in a row that were left, this one included; 0 before it is. */
  #left = 0;
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
    this.#reading.cancel();
  }

  /**
   * Return the address to leave for, or null if the page must stay: a service worker or another cache of the browser may
   * show the old page again, wherever the client goes. From the second time on, the address is one that no cache knows.
   * @param {string} address
   */
  attempt(address) {
    // A page is left once, however often that takes an attempt.
    this.#left ||= this.#count(1);
    if (this.#left > MAX_DEPARTURES) return null;
    return this.#left > 1 ? addressed(address, String(Date.now())) : address;
  }

  /** Start over: the server has confirmed the page. */
  confirm() {
    this.#left = this.#count(0);
  }

  /** @param {number} step 0 to start over. */
  #count(step) {
    try {
      const { sessionStorage } = this.window;
      const count = step * (Number(sessionStorage.getItem(STORAGE_KEY)) + 1);
      sessionStorage.setItem(STORAGE_KEY, String(count));
      return count;
    } catch {
      // Without storage nothing would bound it.
      return Infinity;
    }
  }

  #wait() {
    if (this.#address === null) return;
    const { document } = this.window;
    // A hidden tab waits until it is visible: the sign-in page shows the reason in one tab only.
    if (document.visibilityState !== "hidden") this.#reading.start(READING_TIME);
    else document.addEventListener("visibilitychange", () => this.#wait(), { once: true });
  }

  #go() {
    if (this.#address === null || this.isLeaving()) return;
    const address = this.attempt(this.#address);
    if (address !== null) this.window.location.assign(address);
  }
}
