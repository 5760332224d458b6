/** The bar of actions: how many sessions are selected, and what can be done to them. */

import { enable, isEnabled, partOf, setText } from "../ui/dom.js";
import { ActionDialog } from "./action_dialog.js";
import { ActionServer } from "./actions.js";
import { MAX_SELECTED } from "./selection.js";

/** Exists only for an operator who may act. */
export class ActionBar {
  #stopping = new AbortController();
  #outcome = "";

  /**
   * @param {object} options
   * @param {HTMLElement} options.root
   * @param {typeof window.fetch} options.fetch
   * @param {LiveI18n} options.i18n
   * @param {LiveSelection} options.selection
   * @param {{count: string, act: string}} options.addresses
   * @param {string} options.csrfHeader The name of the header for the CSRF token.
   * @param {() => Query} options.query
   * @param {(id: string) => Row | undefined} options.find
   * @param {() => void} options.onSelection The bar has changed the selection.
   */
  constructor({ root, fetch, i18n, selection, addresses, csrfHeader, query, find, onSelection }) {
    this.root = root;
    this.i18n = i18n;
    this.selection = selection;
    this.query = query;
    this.find = find;
    this.onSelection = onSelection;
    this.element = partOf(root, "actions");
    this.outcomeLine = partOf(root, "outcome");
    const server = new ActionServer({ fetch, addresses, i18n, token: () => csrfToken(root), csrfHeader });
    this.dialog = new ActionDialog({ root, i18n, server, onReport: (report) => this.#report(report) });
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    for (const button of this.#buttons()) button.addEventListener("click", () => this.#ask(button), options);
    partOf(this.element, "select-all").addEventListener("click", () => this.#selectAll(), options);
    partOf(this.element, "select-none").addEventListener("click", () => this.#selectNone(), options);
    this.dialog.start();
  }

  stop() {
    this.#stopping.abort();
    this.dialog.stop();
  }

  /** The server answers again: drop the report that it did not. */
  recover() {
    setText(this.outcomeLine, this.#outcome);
  }

  /**
   * @param {"none" | "some" | "all"} share How much of the page is selected.
   * @param {Results} results
   */
  show(share, { total, bounded, elsewhere }) {
    const { all, empty, full, ids } = this.selection;
    const selected = all ? this.i18n.text("all_selected") : this.i18n.plural("selected", ids.length);
    const most = full ? ` ${this.i18n.text("most", { most: MAX_SELECTED })}` : "";
    setText(partOf(this.element, "selected"), selected + most);
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
    this.#report({ outcome: "" });
    const { all, ids } = this.selection;
    const user = all ? null : commonUser(ids.map(this.find));
    this.dialog.ask(/** @type {ActionName} */ (button.dataset.action), this.#chosen(), user);
  }

  /** @returns {Chosen} */
  #chosen() {
    const { search, phase, connected } = this.query();
    return this.selection.all ? { query: { search, phase, connected } } : { watches: this.selection.ids };
  }

  #selectAll() {
    this.selection.selectAll();
    this.onSelection();
    this.#moveFocus("select-none");
  }

  #selectNone() {
    this.selection.clear();
    this.onSelection();
    this.#moveFocus("select-all");
  }

  /**
   * Move the focus from the pressed button, which is hidden now, to what has taken its place.
   * @param {string} name
   */
  #moveFocus(name) {
    const other = partOf(this.element, name);
    (other.hidden ? partOf(this.root, "select-page") : other)?.focus();
  }

  /** @param {ActionReport} report */
  #report({ outcome, trouble = "", ended = false }) {
    this.#outcome = outcome;
    setText(this.outcomeLine, [outcome, trouble].join(" ").trim());
    if (!ended) return;
    // Ended sessions cannot be selected, and must not keep the order paused.
    this.selection.clear();
    this.onSelection();
  }
}

/**
 * Read the CSRF token; the tab's client renews it when the user signs in again in another tab.
 * @param {Element} root
 */
function csrfToken(root) {
  return /** @type {HTMLInputElement} */ (root.querySelector("input[name=csrfmiddlewaretoken]")).value;
}

/**
 * Return the user whose sessions these are; null if there are several users, or if the page does not know one of them.
 * @param {(Row | undefined)[]} rows
 */
function commonUser(rows) {
  const names = new Set(rows.map((row) => row?.user));
  const [name] = names;
  return names.size === 1 && name ? name : null;
}
