/** The bar of actions: what is selected, and what may be done to it. */

import { ActionServer } from "./actions.js";
import { ActionDialog } from "./dialog.js";
import { partOf, put, write } from "./parts.js";

/** Where an operator may act; nothing of it is there for one who may only watch. */
export class ActionBar {
  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {LiveWords} options.words
   * @param {LiveSelection} options.selection
   * @param {{count: string, act: string, csrf: string}} options.addresses
   * @param {() => Wanted} options.wanted
   * @param {() => void} options.onSelection It was changed here.
   */
  constructor({ root, words, selection, addresses, wanted, onSelection }) {
    this.words = words;
    this.selection = selection;
    this.wanted = wanted;
    this.element = partOf(root, "actions");
    this.dialog = new ActionDialog({
      root,
      words,
      server: new ActionServer({ fetch: window.fetch.bind(window), addresses, words }),
      onDone: (sentence) => this.#say(sentence),
    });
    for (const button of this.#buttons()) button.addEventListener("click", () => this.#ask(button));
    partOf(root, "select-all").addEventListener("click", () => {
      selection.selectAll();
      this.#move("select-none", onSelection);
    });
    partOf(root, "select-none").addEventListener("click", () => {
      selection.clear();
      this.#move("select-all", onSelection);
    });
  }

  /** Nothing is shown any more. */
  abandon() {
    this.dialog.abandon();
  }

  /**
   * @param {string[]} page The ids on it.
   * @param {number} total How many match.
   * @param {boolean} bounded There are more than that.
   */
  show(page, total, bounded) {
    const { all, empty, ids } = this.selection;
    put(partOf(this.element, "selected"), all ? this.words.say("all_selected") : this.words.count("selected", ids.length));
    const more = partOf(this.element, "select-all");
    more.hidden = all || (total <= page.length && !bounded) || this.selection.share(page) !== "all";
    if (!more.hidden) put(more, bounded ? this.words.say("all_unknown") : this.words.count("all", total));
    partOf(this.element, "select-none").hidden = empty;
    for (const button of this.#buttons()) button.disabled = empty;
  }

  #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.element.querySelectorAll("[data-action]")]);
  }

  /** @param {HTMLButtonElement} button */
  #ask(button) {
    this.#say("");
    this.dialog.ask(/** @type {ActionName} */ (button.dataset.action), this.#chosen());
  }

  /** @returns {Chosen} */
  #chosen() {
    const { search, phase, connected } = this.wanted();
    return this.selection.all ? { query: { search, phase, connected } } : { watches: this.selection.ids };
  }

  /**
   * The button that was pressed goes: the focus moves on to what has taken its place.
   * @param {string} name
   * @param {() => void} onSelection
   */
  #move(name, onSelection) {
    onSelection();
    const other = partOf(this.element, name);
    (other.hidden ? partOf(document, "select-page") : other)?.focus();
  }

  /** @param {string} sentence */
  #say(sentence) {
    write(this.element, "outcome", sentence);
  }
}
