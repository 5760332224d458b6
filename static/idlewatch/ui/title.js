/** The title of the tab, while the page is hidden or its content is. */

/** Shows another title in place of the page's, and restores the page's newest one. */
export class TabTitle {
  #shown = "";
  #before = "";

  /** @param {Document} document */
  constructor(document) {
    this.document = document;
  }

  /** @param {string} title */
  show(title) {
    // The page may have changed its title meanwhile.
    if (this.document.title !== this.#shown) this.#before = this.document.title;
    this.document.title = title;
    this.#shown = this.document.title;
  }

  hide() {
    if (this.#shown !== "" && this.document.title === this.#shown) this.document.title = this.#before;
    this.#shown = "";
  }
}
