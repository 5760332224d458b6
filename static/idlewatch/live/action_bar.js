/** The bar of actions: what is selected, and what may be done to it. */

import { ActionServer } from "./actions.js";
import { ActionDialog } from "./dialog.js";
import { enable, isEnabled, partOf, setText } from "../ui/dom.js";
import { MOST } from "./selection.js";

/** Where an operator may act; nothing of it is there for one who may only watch. */
export class ActionBar {
  #lasting = "";

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {I18n} options.i18n
   * @param {LiveSelection} options.selection
   * @param {{count: string, act: string}} options.addresses
   * @param {() => Query} options.wanted
   * @param {(ids: string[]) => (Row | undefined)[]} options.known What the page knows of these.
   * @param {() => void} options.onSelection It was changed here.
   */
  constructor({ root, i18n, selection, addresses, wanted, known, onSelection }) {
    this.i18n = i18n;
    this.selection = selection;
    this.wanted = wanted;
    this.known = known;
    this.onSelection = onSelection;
    this.element = partOf(root, "actions");
    this.outcome = partOf(root, "outcome");
    this.dialog = new ActionDialog({
      root,
      i18n,
      server: new ActionServer({ fetch: window.fetch.bind(window), addresses, i18n, token: () => tokenIn(root) }),
      onDone: (report) => this.#tell(report),
    });
    for (const button of this.#buttons()) button.addEventListener("click", () => this.#ask(button));
    partOf(root, "select-all").addEventListener("click", () => {
      selection.selectAll();
      this.#move("select-none");
    });
    partOf(root, "select-none").addEventListener("click", () => {
      selection.clear();
      this.#move("select-all");
    });
  }

  /** Nothing is shown any more. */
  abandon() {
    this.dialog.abandon();
  }

  /** The server answers again: that it did not is no news any more. */
  mended() {
    setText(this.outcome, this.#lasting);
  }

  /**
   * @param {"none" | "some" | "all"} share How much of the page is selected.
   * @param {boolean} elsewhere More match than are on the page.
   * @param {number} total How many match.
   * @param {boolean} bounded There are more than that.
   */
  show(share, elsewhere, total, bounded) {
    const { all, empty, full, ids } = this.selection;
    const said = all ? this.i18n.text("all_selected") : this.i18n.plural("selected", ids.length);
    setText(partOf(this.element, "selected"), full ? `${said} ${this.i18n.text("most", { most: MOST })}` : said);
    const more = partOf(this.element, "select-all");
    more.hidden = all || !elsewhere || !(full || share === "all");
    if (!more.hidden) setText(more, bounded ? this.i18n.text("all_unknown") : this.i18n.plural("all", total));
    partOf(this.element, "select-none").hidden = empty;
    for (const button of this.#buttons()) enable(button, !empty);
  }

  #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.element.querySelectorAll("[data-action]")]);
  }

  /** @param {HTMLButtonElement} button */
  #ask(button) {
    if (!isEnabled(button)) return;
    this.#tell({ said: "" });
    const { all, ids } = this.selection;
    this.dialog.ask(/** @type {ActionName} */ (button.dataset.action), this.#chosen(), all ? null : nameOf(this.known(ids)));
  }

  /** @returns {Chosen} */
  #chosen() {
    const { search, phase, connected } = this.wanted();
    return this.selection.all ? { query: { search, phase, connected } } : { watches: this.selection.ids };
  }

  /**
   * The button that was pressed goes: the focus moves on to what has taken its place.
   * @param {string} name
   */
  #move(name) {
    this.onSelection();
    const other = partOf(this.element, name);
    (other.hidden ? partOf(document, "select-page") : other)?.focus();
  }

  /** @param {ActionReport} report */
  #tell({ said, trouble = "", over = false }) {
    this.#lasting = said;
    setText(this.outcome, [said, trouble].join(" ").trim());
    if (!over) return;
    // Who has ended is not there to be selected, and must not keep the order at rest.
    this.selection.clear();
    this.onSelection();
  }
}

/**
 * The page's client puts a new one there when the user has signed in again in another tab.
 * @param {Element} root
 */
function tokenIn(root) {
  return /** @type {HTMLInputElement} */ (root.querySelector("input[name=csrfmiddlewaretoken]")).value;
}

/**
 * The user whose sessions all of these are; null for several, and where the page can't tell.
 * @param {(Row | undefined)[]} rows
 */
function nameOf(rows) {
  const names = new Set(rows.map((row) => row?.user));
  const [name] = names;
  return names.size === 1 && name ? name : null;
}
