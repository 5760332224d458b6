/** What a person does in the page. */

/**
 * Always a person's doing, where the browser vouches for it. Assistive technology clicks without a pointer or a key, and
 * so do menus paste and other windows' files drop.
 */
const ACTS = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "input", "click", "paste", "drop"];
/** Seconds after an act in which scrolling counts: a log that scrolls itself is nobody's doing. */
const SCROLL_AFTER = 1;

/** Hears trusted input in the page and in its same-origin frames, those that come later included. */
export class InputObserver {
  #stopping = new AbortController();
  #acted = /** @type {Moment | null} */ (null);
  #pointer = "";
  #observer = /** @type {MutationObserver | null} */ (null);

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {(event: Event) => void} options.onAct
   */
  constructor({ window, clock, onAct }) {
    this.window = window;
    this.clock = clock;
    this.onAct = onAct;
  }

  start() {
    this.#stopping = new AbortController();
    this.#watch(this.window);
  }

  stop() {
    this.#stopping.abort();
    this.#observer?.disconnect();
    this.#observer = null;
  }

  /** @param {Window} view */
  #watch(view) {
    const options = { capture: true, passive: true, signal: this.#stopping.signal };
    for (const type of ACTS) view.addEventListener(type, this.#act, options);
    view.addEventListener("pointermove", this.#move, options);
    view.addEventListener("scroll", this.#scroll, options);
    view.addEventListener("blur", this.#blur, options);
    // `load` does not bubble, but it is captured: a frame's next document has a window of its own to listen on.
    view.document.addEventListener("load", this.#load, options);
    this.#observer ??= new MutationObserver((records) => this.#added(records));
    this.#observer.observe(view.document, { childList: true, subtree: true });
    for (const frame of view.document.querySelectorAll("iframe, frame")) this.#enter(frame);
  }

  /** @param {Element} frame */
  #enter(frame) {
    const view = /** @type {HTMLIFrameElement} */ (frame).contentDocument?.defaultView;
    // None where the frame has another origin.
    if (view) this.#watch(view);
  }

  /** @param {MutationRecord[]} records */
  #added(records) {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) {
        // Nodes of a frame are instances of that frame's classes, so their kind is told by number.
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        const element = /** @type {Element} */ (node);
        if (element.matches("iframe, frame")) this.#enter(element);
        for (const frame of element.querySelectorAll("iframe, frame")) this.#enter(frame);
      }
    }
  }

  #load = (/** @type {Event} */ event) => {
    const element = /** @type {Element} */ (event.target);
    if (element.matches?.("iframe, frame")) this.#enter(element);
  };

  /** A frame in a shadow tree comes unseen, and one that a script writes anew forgets its listeners: focus tells of both. */
  #blur = (/** @type {Event} */ event) => {
    let { activeElement } = /** @type {Window} */ (event.currentTarget).document;
    while (activeElement?.shadowRoot) ({ activeElement } = activeElement.shadowRoot);
    if (activeElement?.matches("iframe, frame")) this.#enter(activeElement);
  };

  #act = (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    this.#acted = this.clock.now();
    this.onAct(event);
  };

  /** A pointer that rests while the page moves below it gets events too; so does one that the page was opened under. */
  #move = (/** @type {Event} */ event) => {
    const { screenX, screenY } = /** @type {PointerEvent} */ (event);
    const place = `${screenX},${screenY}`;
    const rested = this.#pointer === "" || this.#pointer === place;
    if (event.isTrusted) this.#pointer = place;
    if (!rested) this.#act(event);
  };

  #scroll = (/** @type {Event} */ event) => {
    if (!event.isTrusted || this.#acted === null || this.clock.since(this.#acted) > SCROLL_AFTER) return;
    this.onAct(event);
  };
}
