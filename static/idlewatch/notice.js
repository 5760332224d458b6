/** What is said beside the content without getting in the way: the absolute limit, being offline, an operator's word. */

/** A message that can be dismissed; one that was stays away until it is hidden and shown anew. */
export class Notice {
  #dismissed = false;

  /**
   * @param {HTMLElement} element Taken out of the document while there is nothing to say, so that assistive technology
   *   speaks when it comes back.
   * @param {HTMLElement} place
   */
  constructor(element, place) {
    this.element = element;
    this.place = place;
    this.#part("dismiss")?.addEventListener("click", () => this.#dismiss());
  }

  /** @param {Record<string, string>} [texts] By the part that they belong in. */
  show(texts = {}) {
    for (const [name, text] of Object.entries(texts)) {
      const part = this.#part(name);
      if (part !== null && part.textContent !== text) part.textContent = text;
    }
    if (!this.#dismissed && !this.element.isConnected) this.place.append(this.element);
  }

  hide() {
    this.#dismissed = false;
    this.element.remove();
  }

  #dismiss() {
    this.#dismissed = true;
    this.element.remove();
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {HTMLElement | null} */ (this.element.querySelector(`[data-idlewatch-part="${name}"]`));
  }
}
