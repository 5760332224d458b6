/** Videos and sounds that the page has marked as work. */

const MARKED = "video[data-idlewatch-hold], audio[data-idlewatch-hold]";
const STOPS = ["pause", "ended", "emptied", "error"];

/** Holds the session while a `<video data-idlewatch-hold>` or an `<audio data-idlewatch-hold>` plays. */
export class MediaObserver {
  #stopping = new AbortController();
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
    this.#stopping = new AbortController();
    const options = { capture: true, signal: this.#stopping.signal };
    this.document.addEventListener("playing", this.#play, options);
    for (const type of STOPS) this.document.addEventListener(type, this.#pause, options);
    for (const element of this.document.querySelectorAll(MARKED)) this.#begin(element);
  }

  stop() {
    this.#stopping.abort();
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
