/** The title of a tab that is not looked at, or whose content nobody may see. */

/** Shows a countdown, or what else there is to say, in the title's place, and gives the page's newest title back. */
export class TabTitle {
  #own = "";
  #before = "";

  /** @param {Document} document */
  constructor(document) {
    this.document = document;
  }

  /** @param {string} title */
  show(title) {
    // A title that was changed meanwhile is the page's new one.
    if (this.document.title !== this.#own) this.#before = this.document.title;
    this.document.title = title;
    this.#own = this.document.title;
  }

  hide() {
    if (this.#own !== "" && this.document.title === this.#own) this.document.title = this.#before;
    this.#own = "";
  }
}
