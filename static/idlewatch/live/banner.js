/** Says that what is shown is not of now: the connection is lost, or the server can't ask its own. */

import { Timer } from "../core/clock.js";
import { partOf, setText } from "../ui/dom.js";

/** Seconds that a lost connection may take to come back before it is said. */
const BEAR = 1.5;

/** A sentence above the page; nothing where all is well. */
export class Banner {
  /** Epoch seconds of this clock since which the connection is lost. */
  #down = /** @type {number | null} */ (null);

  /**
   * @param {object} options
   * @param {HTMLElement} options.root
   * @param {Clock} options.clock
   * @param {I18n} options.i18n
   * @param {Dates} options.dates
   */
  constructor({ root, clock, i18n, dates }) {
    this.element = partOf(root, "banner");
    this.clock = clock;
    this.i18n = i18n;
    this.dates = dates;
    this.bearing = new Timer(clock, () => this.#say("lost", this.#down ?? clock.now().wall));
  }

  /** The connection is lost. */
  lost() {
    if (this.#down !== null) return;
    this.#down = this.clock.now().wall;
    this.bearing.set(BEAR);
  }

  /** The connection is back. */
  up() {
    this.bearing.clear();
    if (this.#down === null) return;
    this.#down = null;
    this.clear();
  }

  /**
   * The server is there, and knows nothing new.
   * @param {number} since Epoch seconds: what is shown is of then.
   */
  unavailable(since) {
    this.#say("unavailable", since);
  }

  /** The server does not understand what it is asked: it is not of the same release as the page. */
  refused() {
    this.#put(this.i18n.text("refused"));
  }

  /** What is shown is of now. */
  clear() {
    this.#put("");
  }

  /** Say nothing any more. */
  stop() {
    this.bearing.clear();
    this.clear();
  }

  /**
   * @param {"lost" | "unavailable"} what
   * @param {number} at
   */
  #say(what, at) {
    this.#put(this.i18n.text(what, { time: this.dates.short(at, at) }));
  }

  /** @param {string} sentence */
  #put(sentence) {
    this.element.hidden = sentence === "";
    setText(this.element, sentence);
  }
}
