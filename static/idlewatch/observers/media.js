/** Videos and sounds that the page has marked as work. */

import { Listeners } from "./listeners.js";

const MARKED = "video[data-idlewatch-hold], audio[data-idlewatch-hold]";
const STOPS = "pause ended emptied error";

/** Holds the session while a `<video data-idlewatch-hold>` or an `<audio data-idlewatch-hold>` plays. */
export class MediaObserver {
  #listeners = new Listeners();
  #handles = /** @type {Map<HTMLMediaElement, HoldHandle>} */ (new Map());

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {string} options.label What operators see if the attribute is empty.
   * @param {(label: string, lasts: () => boolean) => HoldHandle} options.hold
   */
  constructor({ document, label, hold }) {
    this.document = document;
    this.label = label;
    this.hold = hold;
  }

  start() {
    this.#listeners.listen(this.document, "playing", this.#play, { capture: true });
    this.#listeners.listen(this.document, STOPS, this.#pause, { capture: true });
    for (const element of this.document.querySelectorAll(MARKED)) this.#begin(element);
  }

  stop() {
    this.#listeners.removeAll();
    for (const handle of this.#handles.values()) handle.release();
    this.#handles.clear();
  }

  #play = (/** @type {Event} */ event) => {
    const element = /** @type {Element} */ (event.target);
    if (element.matches?.(MARKED)) this.#begin(element);
  };

  #pause = (/** @type {Event} */ event) => {
    const element = /** @type {HTMLMediaElement} */ (event.target);
    this.#handles.get(element)?.release();
    this.#handles.delete(element);
  };

  /** @param {Element} element */
  #begin(element) {
    const media = /** @type {HTMLMediaElement} */ (element);
    if (!isPlaying(media)) return;
    this.#handles.get(media)?.release();
    // An element that leaves the page pauses without an event that reaches it: it is checked before each renewal.
    this.#handles.set(media, this.hold(media.dataset.idlewatchHold || this.label, () => isPlaying(media)));
  }
}

/** @param {HTMLMediaElement} media */
function isPlaying(media) {
  return media.isConnected && !media.paused && !media.ended;
}
