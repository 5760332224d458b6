/** The movements of a pointer, which sends an event with each frame while it moves. */

import { Timer } from "../core/clock.js";

/** Seconds between two events of a pointer that keeps moving. */
const STREAM_GAP = 0.1;
/** Seconds without a listener while it keeps moving: even one that does nothing takes time from the page. */
const STREAM_PAUSE = 1;
/** Of all listeners for input. */
export const OPTIONS = { capture: true, passive: true };

/** Observes the pointer in the page and its frames, and rests while it keeps moving. */
export class PointerObserver {
  #documents = /** @type {Set<Document>} */ (new Set());
  /** Where the pointer was, and when; null if it may have moved since. */
  #place = /** @type {{x: number, y: number, at: Moment} | null} */ (null);
  #pause;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(event: Event) => void} options.onMove
   */
  constructor({ clock, onMove }) {
    this.clock = clock;
    this.onMove = onMove;
    this.#pause = new Timer(clock, () => this.#listen());
  }

  /** @param {Document} document The page's, or that of one of its frames. */
  follow(document) {
    this.#documents.add(document);
    if (!this.#pause.running) this.#listen();
  }

  stop() {
    this.#pause.cancel();
    this.#rest();
    this.#documents.clear();
  }

  #listen() {
    for (const document of this.#documents) {
      // A frame's document that has gone has no window.
      if (document.defaultView === null) this.#documents.delete(document);
      else document.defaultView.addEventListener("pointermove", this.#move, OPTIONS);
    }
  }

  #rest() {
    this.#place = null;
    for (const { defaultView } of this.#documents) defaultView?.removeEventListener("pointermove", this.#move, OPTIONS);
  }

  /** Ignore the events of a pointer that rests: the page moves below it, or has opened under it. */
  #move = (/** @type {PointerEvent} */ event) => {
    if (!event.isTrusted) return;
    const { screenX: x, screenY: y } = event;
    const before = this.#place;
    this.#place = { x, y, at: this.clock.now() };
    if (before === null || (before.x === x && before.y === y)) return;
    this.onMove(event);
    if (this.clock.since(before.at) > STREAM_GAP) return;
    this.#rest();
    this.#pause.start(STREAM_PAUSE);
  };
}
