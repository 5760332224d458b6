/** What stands in the content's place when nobody may see it. */

/** Set on the root element; the stylesheet hides whatever a script or the parser adds beside the cover. */
const COVERED = "idlewatch-covered";
/** Set on the root element: everything keeps its place, unseen. */
const VEILED = "idlewatch-veiled";
/** Set on what would lose its state by leaving the document. */
const HIDDEN = "idlewatch-hidden";
/** These hold no content, and the cover's own looks may be among them. */
const KEPT = "link, style";
/** These load anew when they are put back, and an editor in them is empty then. */
const FRAGILE = "iframe, frame, object, embed";

/** @typedef {{element: Element, left: number, top: number}} Scroll */

/** Takes the content out of the document (sight, search, print, assistive technology), and brings it back as it was. */
export class Cover {
  #away = /** @type {Map<ChildNode, Comment>} */ (new Map());
  #scrolls = /** @type {Scroll[]} */ ([]);
  #modals = /** @type {HTMLDialogElement[]} */ ([]);
  #focus = /** @type {HTMLElement | null} */ (null);
  #title = "";
  #covered = false;
  #observer;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {HTMLElement} options.element What is shown instead.
   * @param {HTMLElement} options.place Where; it stays.
   */
  constructor({ document, element, place }) {
    this.document = document;
    this.element = element;
    this.place = place;
    this.#observer = new MutationObserver((records) => this.#follow(records));
  }

  /** Hide for a moment, without a trace. */
  veil() {
    this.#mark(VEILED, true);
  }

  /**
   * Take the content away.
   * @param {string} title For the tab: the page's own may tell of the content.
   */
  cover(title) {
    this.#mark(VEILED, false);
    if (!this.#covered) {
      this.#covered = true;
      this.#remember();
      this.#mark(COVERED, true);
      for (const node of [...this.document.body.childNodes]) this.#take(node);
      this.#observer.observe(this.document.body, { childList: true });
      this.place.append(this.element);
      this.element.focus();
    }
    if (this.document.title !== title) this.document.title = title;
  }

  /** Bring the content back. */
  lift() {
    this.#mark(VEILED, false);
    if (!this.#covered) return;
    this.#covered = false;
    this.#observer.disconnect();
    this.element.remove();
    for (const [node, mark] of this.#away) mark.replaceWith(node);
    for (const node of this.document.body.children) node.classList.remove(HIDDEN);
    this.#away.clear();
    this.#mark(COVERED, false);
    this.#restore();
  }

  /** Let go of the content for good: nothing can bring it back. */
  drop() {
    for (const mark of this.#away.values()) mark.remove();
    this.#away.clear();
    this.#scrolls = [];
    this.#modals = [];
    this.#focus = null;
    for (const node of [...this.document.body.children]) {
      if (node !== this.place && !node.matches(KEPT)) node.remove();
    }
  }

  /**
   * Take what comes while the cover stands, from scripts or from a page that is still loading.
   * @param {MutationRecord[]} records
   */
  #follow(records) {
    for (const node of records.flatMap((record) => [...record.addedNodes])) {
      if (node.parentNode === this.document.body) this.#take(/** @type {ChildNode} */ (node));
    }
  }

  /** @param {ChildNode} node */
  #take(node) {
    if (node === this.place || node.nodeType === Node.COMMENT_NODE) return;
    if (node instanceof Element && node.matches(KEPT)) return;
    if (node instanceof Element && (node.matches(FRAGILE) || node.querySelector(FRAGILE) !== null)) {
      node.classList.add(HIDDEN);
      return;
    }
    const mark = this.document.createComment("");
    node.replaceWith(mark);
    this.#away.set(node, mark);
  }

  /** Note what leaving the document makes a page forget. */
  #remember() {
    const { document } = this;
    this.#title = document.title;
    this.#focus = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#modals = [...document.querySelectorAll("dialog")].filter((dialog) => dialog.matches(":modal"));
    this.#scrolls = [document.documentElement, ...document.body.querySelectorAll("*")]
      .filter((element) => element.scrollTop !== 0 || element.scrollLeft !== 0)
      .map((element) => ({ element, left: element.scrollLeft, top: element.scrollTop }));
  }

  #restore() {
    this.document.title = this.#title;
    for (const dialog of this.#modals) {
      // Only a closed one can be made modal again, and closing it properly would tell the page's scripts.
      dialog.removeAttribute("open");
      dialog.showModal();
    }
    for (const { element, left, top } of this.#scrolls) element.scrollTo({ left, top, behavior: "instant" });
    this.#focus?.focus({ preventScroll: true });
  }

  /**
   * @param {string} name
   * @param {boolean} on
   */
  #mark(name, on) {
    this.document.documentElement.classList.toggle(name, on);
  }
}
