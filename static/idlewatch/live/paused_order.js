/** The order of the rows rests while the operator is about to do something with one; what waits meanwhile is said. */

import { Timer } from "../core/clock.js";
import { partOf, setText } from "../ui/dom.js";

/** Seconds between two announcements of how many changes wait: a screen reader would never fall silent. */
const CALM = 10;
/** Seconds that the order rests on when the hand is gone: it may be on its way to the button that shows the changes. */
const LINGER = 0.8;

/**
 * @typedef {object} PausedOrderDelegate
 * @property {() => boolean} inHand Whether the operator is about to do something with a row.
 * @property {() => void} onSettle The order is that of now again.
 * @property {() => void} onHide The button had the focus, and goes.
 */

/** Has the rows rest, and settles them. */
export class PausedOrder {
  #stopping = new AbortController();
  #calm;
  #lingering;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {Clock} options.clock
   * @param {I18n} options.i18n
   * @param {LiveRows} options.rows
   * @param {PausedOrderDelegate} options.delegate
   */
  constructor({ root, clock, i18n, rows, delegate }) {
    this.button = partOf(root, "waiting");
    this.i18n = i18n;
    this.rows = rows;
    this.delegate = delegate;
    this.#calm = new Timer(clock, () => this.#say());
    this.#lingering = new Timer(clock, () => this.#letGo());
  }

  start() {
    this.#stopping = new AbortController();
    this.button.addEventListener("click", () => this.#settle(), { signal: this.#stopping.signal });
  }

  stop() {
    this.#stopping.abort();
    this.#calm.clear();
    this.#lingering.clear();
  }

  /** The hand has come or gone. */
  follow() {
    if (this.delegate.inHand()) {
      this.#lingering.clear();
      this.rows.resting = true;
    } else if (this.rows.resting && !this.#lingering.running) this.#lingering.set(LINGER);
  }

  /** The rows have changed. */
  show() {
    if (this.rows.waiting === 0 || !this.#calm.running) this.#say();
  }

  #letGo() {
    if (this.delegate.inHand()) return;
    this.rows.resting = false;
    this.#settle();
  }

  #settle() {
    this.rows.settle();
    this.delegate.onSettle();
  }

  /** Say how many changes wait. */
  #say() {
    const { waiting } = this.rows;
    const focused = document.activeElement === this.button;
    this.button.hidden = waiting === 0;
    this.#calm.clear();
    if (waiting > 0) {
      setText(this.button, this.i18n.plural("changes", waiting));
      this.#calm.set(CALM);
    } else if (focused) this.delegate.onHide();
  }
}
