/** The user's input in the page. */

/**
 * Events that count as activity if the browser trusts them. Assistive technology clicks without a pointer or a key, menus
 * paste, and files are dropped from other windows.
 */
const ACTS = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "beforeinput", "input", "click", "paste", "drop"];
/** Seconds after an act in which scrolling counts: a log may scroll by itself. */
const SCROLL_AFTER = 1;
const FRAMES = "iframe, frame";

/** Observes the page and its same-origin frames, later ones included. */
export class InputObserver {
  #stopping = new AbortController();
  #actedAt = /** @type {Moment | null} */ (null);
  #pointer = "";
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
  }

  start() {
    this.#stopping = new AbortController();
    this.#observe(this.window);
  }

  stop() {
    this.#stopping.abort();
    this.#observer?.disconnect();
    this.#observer = null;
  }

  /** @param {Window} view */
  #observe(view) {
    const options = { capture: true, passive: true, signal: this.#stopping.signal };
    for (const type of ACTS) view.addEventListener(type, this.#act, options);
    view.addEventListener("pointermove", this.#move, options);
    view.addEventListener("scroll", this.#scroll, options);
    view.addEventListener("blur", this.#blur, options);
    // A frame's next document has a new window. `load` does not bubble, but is captured.
    view.document.addEventListener("load", this.#load, options);
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
        if (element.matches(FRAMES)) this.#enter(element);
        for (const frame of element.querySelectorAll(FRAMES)) this.#enter(frame);
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

  /** Ignore the events of a pointer that rests: the page moves below it, or has opened under it. */
  #move = (/** @type {Event} */ event) => {
    const { screenX, screenY } = /** @type {PointerEvent} */ (event);
    const place = `${screenX},${screenY}`;
    const rested = this.#pointer === "" || this.#pointer === place;
    if (event.isTrusted) this.#pointer = place;
    if (!rested) this.#act(event);
  };

  #scroll = (/** @type {Event} */ event) => {
    if (!event.isTrusted || this.#actedAt === null || this.clock.since(this.#actedAt) > SCROLL_AFTER) return;
    this.onActivity(event);
  };
}
