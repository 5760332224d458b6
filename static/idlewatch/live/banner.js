/** The banner above the page: the connection is lost, or the server cannot read its store. */

import { Timer } from "../core/clock.js";
import { partOf, setText } from "../ui/dom.js";

/** Seconds that a lost connection may take to come back unmentioned. */
const GRACE = 1.5;

/** Shows why the page is out of date; hidden while it is not. */
export class Banner {
  /** Epoch seconds of this clock. */
  #lostAt = /** @type {number | null} */ (null);
  #grace;

  /**
   * @param {object} options
   * @param {ParentNode} options.root
   * @param {Clock} options.clock
   * @param {LiveI18n} options.i18n
   * @param {Dates} options.dates
   */
  constructor({ root, clock, i18n, dates }) {
    this.element = partOf(root, "banner");
    this.clock = clock;
    this.i18n = i18n;
    this.dates = dates;
    this.#grace = new Timer(clock, () => this.#showSince("lost", this.#lostAt ?? clock.now().wall));
  }

  /** The connection is lost. */
  lost() {
    if (this.#lostAt !== null) return;
    this.#lostAt = this.clock.now().wall;
    this.#grace.start(GRACE);
  }

  /** The connection is back. */
  up() {
    this.#grace.cancel();
    if (this.#lostAt === null) return;
    this.#lostAt = null;
    this.clear();
  }

  /**
   * The server is there, but cannot read its store.
   * @param {number} since Epoch seconds of the last update.
   */
  unavailable(since) {
    this.#showSince("unavailable", since);
  }

  /** The server refused the query: it is of another release than the page. */
  refused() {
    this.#show(this.i18n.text("refused"));
  }

  /** The page is up to date. */
  clear() {
    this.#show("");
  }

  stop() {
    this.#grace.cancel();
    this.#lostAt = null;
    this.clear();
  }

  /**
   * @param {"lost" | "unavailable"} name
   * @param {number} since
   */
  #showSince(name, since) {
    this.#show(this.i18n.text(name, { time: this.dates.short(since, since) }));
  }

  /** @param {string} sentence */
  #show(sentence) {
    this.element.hidden = sentence === "";
    setText(this.element, sentence);
  }
}
