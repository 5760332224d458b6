/** Pauses the order of the rows while the operator is about to use one, and counts what is pending meanwhile. */

import { Timer } from "../core/clock.js";
import { partOf, setText } from "../ui/dom.js";

/** Seconds between two announcements of the count: a screen reader would never be silent otherwise. */
const ANNOUNCE_EVERY = 10;
/** Seconds that the pause goes on after the pointer left: it may be on its way to the button that ends it. */
const GRACE = 0.8;

/**
 * @typedef {object} PausedOrderDelegate
 * @property {() => boolean} inUse Whether the operator is about to use a row.
 * @property {() => void} onSettle The server's order is shown again.
 * @property {() => void} onHide The button is hidden while it has the focus.
 */

/** Begins and ends the pause; the button ends it by hand. */
export class PausedOrder {
  #stopping = new AbortController();
  #announced;
  #grace;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {Clock} options.clock
   * @param {LiveI18n} options.i18n
   * @param {LiveRows} options.rows
   * @param {PausedOrderDelegate} options.delegate
   */
  constructor({ root, clock, i18n, rows, delegate }) {
    this.button = partOf(root, "waiting");
    this.i18n = i18n;
    this.rows = rows;
    this.delegate = delegate;
    this.#announced = new Timer(clock, () => this.#announce());
    this.#grace = new Timer(clock, () => this.#end());
  }

  start() {
    this.#stopping = new AbortController();
    this.button.addEventListener("click", () => this.#settle(), { signal: this.#stopping.signal });
  }

  stop() {
    this.#stopping.abort();
    this.#announced.cancel();
    this.#grace.cancel();
  }

  /** Begin or end the pause, after the pointer, the focus or the selection has changed. */
  update() {
    if (this.delegate.inUse()) {
      this.#grace.cancel();
      this.rows.paused = true;
    } else if (this.rows.paused && !this.#grace.running) this.#grace.start(GRACE);
  }

  /** Show how many changes are pending. */
  show() {
    if (this.rows.pending === 0 || !this.#announced.running) this.#announce();
  }

  #end() {
    if (this.delegate.inUse()) return;
    this.rows.paused = false;
    this.#settle();
  }

  #settle() {
    this.rows.settle();
    this.delegate.onSettle();
  }

  #announce() {
    const { pending } = this.rows;
    const focused = this.button.ownerDocument.activeElement === this.button;
    this.button.hidden = pending === 0;
    this.#announced.cancel();
    if (pending > 0) {
      setText(this.button, this.i18n.plural("changes", pending));
      this.#announced.start(ANNOUNCE_EVERY);
    } else if (focused) this.delegate.onHide();
  }
}
