/** The table of sessions. */

import { partOf } from "../ui/dom.js";
import { RowView } from "./row.js";

/**
 * @typedef {object} TableDelegate
 * @property {(id: string, selected: boolean) => void} onSelect
 * @property {(selected: boolean) => void} onSelectPage
 * @property {(sort: string) => void} onSort
 * @property {() => void} onUse The pointer or the focus has come to a row, or has left it.
 */

/** Keeps a row for each session that is shown. */
export class Table {
  #rows = /** @type {Map<string, RowView>} */ (new Map());
  #hovered = false;
  #stopping = new AbortController();

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {Omit<RowContext, "markup">} options.context
   * @param {TableDelegate} options.delegate
   */
  constructor({ root, context, delegate }) {
    this.context = { ...context, markup: /** @type {HTMLTemplateElement} */ (partOf(root, "row")) };
    this.delegate = delegate;
    this.element = partOf(root, "table");
    this.body = partOf(root, "rows");
    this.pageBox = /** @type {HTMLInputElement | null} */ (partOf(root, "select-page"));
  }

  /** Whether the pointer or the focus is on a row. */
  get inUse() {
    return this.#hovered || this.body.contains(this.body.ownerDocument.activeElement);
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    this.body.addEventListener("pointerenter", this.#hover, options);
    this.body.addEventListener("pointerleave", this.#hover, options);
    this.body.addEventListener("focusin", () => this.delegate.onUse(), options);
    // While the focus moves to another row, nothing has it.
    this.body.addEventListener("focusout", () => queueMicrotask(() => this.delegate.onUse()), options);
    this.element.addEventListener("change", this.#change, options);
    this.element.addEventListener("click", this.#click, options);
  }

  stop() {
    this.#stopping.abort();
  }

  /** @param {boolean} busy Whether the rows of a new query are on their way. */
  set busy(busy) {
    this.element.setAttribute("aria-busy", String(busy));
  }

  /**
   * @param {ShownRow[]} shown
   * @param {(row: Row) => boolean} isSelected
   * @param {string} gone What the phase of a row is that has left the server's page.
   */
  show(shown, isSelected, gone) {
    this.#removeAllBut(new Set(shown.map(({ row }) => row.id)));
    let next = this.body.firstElementChild;
    for (const { row, gone: isGone } of shown) {
      const view = this.#rows.get(row.id) ?? this.#add(row);
      // A row in its place is not moved: moving it would take the focus from it.
      if (view.element === next) next = next.nextElementSibling;
      else this.body.insertBefore(view.element, next);
      view.show(row, isGone ? gone : null, isSelected(row));
    }
  }

  /**
   * Update the countdowns.
   * @param {ShownRow[]} shown
   */
  tick(shown) {
    for (const { row, gone } of shown) if (!gone) this.#rows.get(row.id)?.tick(row);
  }

  /** @param {string} sort */
  showSort(sort) {
    const name = sort.replace(/^-/, "");
    for (const heading of this.element.querySelectorAll("[data-sort]")) {
      if (heading.getAttribute("data-sort") === name) {
        heading.setAttribute("aria-sort", sort === name ? "ascending" : "descending");
      } else heading.removeAttribute("aria-sort");
    }
  }

  /** @param {"none" | "some" | "all"} share How much of the page is selected. */
  showShare(share) {
    if (this.pageBox === null) return;
    this.pageBox.checked = share === "all";
    this.pageBox.indeterminate = share === "some";
  }

  /** @param {Row} row */
  #add(row) {
    const view = new RowView(this.context, row);
    this.#rows.set(row.id, view);
    return view;
  }

  /** @param {Set<string>} ids */
  #removeAllBut(ids) {
    for (const [id, { element }] of this.#rows) {
      if (ids.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
  }

  #hover = (/** @type {PointerEvent} */ event) => {
    // A finger leaves no pointer behind that could rest on a row.
    this.#hovered = event.type === "pointerenter" && event.pointerType !== "touch";
    this.delegate.onUse();
  };

  #change = (/** @type {Event} */ event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box === this.pageBox) this.delegate.onSelectPage(box.checked);
    else this.delegate.onSelect(box.closest("tr")?.dataset.id ?? "", box.checked);
  };

  #click = (/** @type {Event} */ event) => {
    const heading = /** @type {Element} */ (event.target).closest("button")?.closest("[data-sort]");
    if (!heading) return;
    const sort = heading.getAttribute("data-sort") ?? "";
    this.delegate.onSort(heading.getAttribute("aria-sort") === "ascending" ? `-${sort}` : sort);
  };
}
