/** What is said beside the content without getting in the way: the absolute limit, being offline, an operator's word. */

import { partOf, setPartText } from "./dom.js";

/** A message that can be dismissed; one that was stays away until it is hidden and shown anew. */
export class Notice {
  #dismissed = false;
  #back = /** @type {EventTarget | null} */ (null);

  /**
   * @param {HTMLElement} element Not in the document while there is nothing to say, so that assistive technology speaks
   *   when it comes.
   * @param {TopLayer} topLayer
   */
  constructor(element, topLayer) {
    this.element = element;
    this.topLayer = topLayer;
    element.remove();
    element.addEventListener("focusin", this.#enter);
    partOf(this.element, "dismiss")?.addEventListener("click", () => this.#dismiss());
  }

  /** @param {Record<string, string>} [texts] By the part that they belong in. */
  show(texts = {}) {
    for (const [name, text] of Object.entries(texts)) setPartText(this.element, name, text);
    if (!this.#dismissed) this.topLayer.show(this.element);
  }

  hide() {
    this.#dismissed = false;
    this.topLayer.hide(this.element);
  }

  #enter = (/** @type {FocusEvent} */ { relatedTarget }) => {
    if (!this.element.contains(/** @type {Node | null} */ (relatedTarget))) this.#back = relatedTarget;
  };

  #dismiss() {
    this.#dismissed = true;
    this.topLayer.hide(this.element);
    // Who came by the keyboard goes on where they were.
    if (this.#back instanceof HTMLElement) this.#back.focus();
  }
}
