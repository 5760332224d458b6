/** Notices beside the content: the absolute timeout, being offline, an operator's message. */

import { partOf, setPartText } from "./dom.js";

/** A notice that can be dismissed. It stays away until it is hidden and shown again. */
export class Notice {
  #dismissed = false;
  #focusBefore = /** @type {EventTarget | null} */ (null);

  /**
   * @param {HTMLElement} element In the document only while it is shown, so that screen readers read it when it comes.
   * @param {TopLayer} topLayer
   */
  constructor(element, topLayer) {
    this.element = element;
    this.topLayer = topLayer;
    element.remove();
    element.addEventListener("focusin", this.#enter);
    partOf(element, "dismiss")?.addEventListener("click", () => this.#dismiss());
  }

  /** @param {Record<string, string>} [texts] By the parts that they belong in. */
  show(texts = {}) {
    for (const [name, text] of Object.entries(texts)) setPartText(this.element, name, text);
    if (!this.#dismissed) this.topLayer.show(this.element);
  }

  hide() {
    this.#dismissed = false;
    this.topLayer.hide(this.element);
  }

  #enter = (/** @type {FocusEvent} */ { relatedTarget }) => {
    if (!this.element.contains(/** @type {Node | null} */ (relatedTarget))) this.#focusBefore = relatedTarget;
  };

  #dismiss() {
    this.#dismissed = true;
    this.topLayer.hide(this.element);
    // Keyboard users go on where they were.
    if (this.#focusBefore instanceof HTMLElement) this.#focusBefore.focus();
  }
}
