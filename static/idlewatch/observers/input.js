/** The user's input in the page. */

import { Listeners } from "./listeners.js";
import { OPTIONS, PointerObserver } from "./pointer.js";

/**
 * Events that count as activity if the browser trusts them. Assistive technology clicks without a pointer or a key, menus
 * paste, and files are dropped from other windows.
 */
const ACTS = "pointerdown keydown wheel touchstart touchmove beforeinput input click paste drop";
/** Seconds after an act in which scrolling counts: a log may scroll by itself. */
const SCROLL_AFTER = 1;
const FRAMES = "iframe, frame";

/** Observes the page and its same-origin frames, later ones included. */
export class InputObserver {
  #listeners = new Listeners();
  #actedAt = /** @type {Moment | null} */ (null);
  #pointer;
  #observer = /** @type {MutationObserver | null} */ (null);

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {(event: Event) => void} options.onActivity
   */
  constructor({ window, clock, onActivity }) {
    this.window = window;
    this.clock = clock;
    this.onActivity = onActivity;
    this.#pointer = new PointerObserver({ clock, onMove: (event) => this.#act(event) });
  }

  start() {
    this.#observe(this.window);
  }

  stop() {
    this.#listeners.removeAll();
    this.#pointer.stop();
    this.#observer?.disconnect();
    this.#observer = null;
  }

  /** @param {Window} view */
  #observe(view) {
    this.#listeners.listen(view, ACTS, this.#act, OPTIONS);
    this.#listeners.listen(view, "scroll", this.#scroll, OPTIONS);
    this.#listeners.listen(view, "blur", this.#blur, OPTIONS);
    // A frame's next document has a new window. `load` does not bubble, but is captured.
    this.#listeners.listen(view.document, "load", this.#load, OPTIONS);
    this.#pointer.follow(view.document);
    this.#observer ??= new MutationObserver((records) => this.#enterAdded(records));
    this.#observer.observe(view.document, { childList: true, subtree: true });
    for (const frame of view.document.querySelectorAll(FRAMES)) this.#enter(frame);
  }

  /** @param {Element} frame */
  #enter(frame) {
    const view = /** @type {HTMLIFrameElement} */ (frame).contentDocument?.defaultView;
    // A frame of another origin has none.
    if (view) this.#observe(view);
  }

  /** @param {MutationRecord[]} records */
  #enterAdded(records) {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) {
        // Not by `instanceof`: the nodes of a frame are instances of that frame's classes.
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        const element = /** @type {Element} */ (node);
        for (const inner of [element, ...element.querySelectorAll(FRAMES)]) if (inner.matches(FRAMES)) this.#enter(inner);
      }
    }
  }

  #load = (/** @type {Event} */ event) => {
    const element = /** @type {Element} */ (event.target);
    if (element.matches?.(FRAMES)) this.#enter(element);
  };

  /** Enter a focused frame: mutations do not show one in a shadow tree, and one that a script rewrites loses its listeners. */
  #blur = (/** @type {Event} */ event) => {
    let { activeElement } = /** @type {Window} */ (event.currentTarget).document;
    while (activeElement?.shadowRoot) ({ activeElement } = activeElement.shadowRoot);
    if (activeElement?.matches(FRAMES)) this.#enter(activeElement);
  };

  #act = (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    this.#actedAt = this.clock.now();
    this.onActivity(event);
  };

  #scroll = (/** @type {Event} */ event) => {
    if (!event.isTrusted || this.#actedAt === null || this.clock.since(this.#actedAt) > SCROLL_AFTER) return;
    this.onActivity(event);
  };
}
