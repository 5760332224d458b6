/** The table: a row for each session that is shown, changed in place. */

import { PHASE } from "../core/protocol.js";
import { partOf, setText } from "../ui/dom.js";
import { countdown } from "../ui/i18n.js";

/**
 * @typedef {object} TableDelegate
 * @property {(id: string, selected: boolean) => void} onSelect
 * @property {(selected: boolean) => void} onSelectPage
 * @property {(sort: string) => void} onSort
 * @property {() => void} onHand The hand of the operator, a pointer or the focus, has come or gone.
 */

/** Shows rows. */
export class Table {
  #rows = /** @type {Map<string, HTMLElement>} */ (new Map());
  #hovered = false;
  #stopping = new AbortController();

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {I18n} options.i18n
   * @param {Dates} options.dates
   * @param {() => number} options.now Epoch seconds, the server's.
   * @param {{record: string | null, account: string | null}} options.addresses
   * @param {string | null} options.present The session that the operator is in: it is left alone.
   * @param {TableDelegate} options.delegate
   */
  constructor({ root, i18n, dates, now, addresses, present, delegate }) {
    this.i18n = i18n;
    this.dates = dates;
    this.now = now;
    this.addresses = addresses;
    this.present = present;
    this.delegate = delegate;
    this.element = partOf(root, "table");
    this.body = partOf(root, "rows");
    this.markup = /** @type {HTMLTemplateElement} */ (partOf(root, "row"));
    this.pageBox = /** @type {HTMLInputElement | null} */ (partOf(root, "select-page"));
  }

  /** Whether the operator is about to do something with a row. */
  get inHand() {
    return this.#hovered || this.body.contains(document.activeElement);
  }

  start() {
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    // A finger leaves no pointer behind that rests on a row.
    const hover = (/** @type {PointerEvent} */ event) => {
      this.#hovered = event.type === "pointerenter" && event.pointerType !== "touch";
      this.delegate.onHand();
    };
    this.body.addEventListener("pointerenter", hover, { signal });
    this.body.addEventListener("pointerleave", hover, { signal });
    this.body.addEventListener("focusin", () => this.delegate.onHand(), { signal });
    // While it moves on, nothing has the focus.
    this.body.addEventListener("focusout", () => queueMicrotask(() => this.delegate.onHand()), { signal });
    this.element.addEventListener("change", this.#changed, { signal });
    this.element.addEventListener("click", this.#clicked, { signal });
  }

  stop() {
    this.#stopping.abort();
  }

  /**
   * @param {ShownRow[]} shown
   * @param {(row: Row) => boolean} isSelected
   * @param {string} goneWord What a row is that the server's page has no more.
   */
  show(shown, isSelected, goneWord) {
    const wanted = new Set(shown.map(({ row }) => row.id));
    for (const [id, element] of this.#rows) {
      if (wanted.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
    let place = this.body.firstElementChild;
    for (const { row, gone } of shown) {
      const element = this.#rows.get(row.id) ?? this.#make(row);
      // Only what stands elsewhere is moved: a row that is moved loses the focus.
      if (element === place) place = place.nextElementSibling;
      else this.body.insertBefore(element, place);
      this.#fill(element, row, gone ? goneWord : null, isSelected(row));
    }
  }

  /**
   * Let the countdowns go on.
   * @param {ShownRow[]} shown
   */
  tick(shown) {
    for (const { row, gone } of shown) {
      const element = this.#rows.get(row.id);
      if (element !== undefined && !gone) setText(cell(element, "ends"), this.#ends(row));
    }
  }

  /** @param {string} sort */
  sorted(sort) {
    const name = sort.replace(/^-/, "");
    for (const heading of this.element.querySelectorAll("[data-sort]")) {
      if (heading.getAttribute("data-sort") === name) {
        heading.setAttribute("aria-sort", sort === name ? "ascending" : "descending");
      } else heading.removeAttribute("aria-sort");
    }
  }

  /** @param {"none" | "some" | "all"} share */
  selected(share) {
    if (this.pageBox === null) return;
    this.pageBox.checked = share === "all";
    this.pageBox.indeterminate = share === "some";
  }

  /** @param {Row} row */
  #make(row) {
    const made = /** @type {DocumentFragment} */ (this.markup.content.cloneNode(true));
    const element = /** @type {HTMLElement} */ (made.firstElementChild);
    element.dataset.id = row.id;
    this.#rows.set(row.id, element);
    const values = { user: row.user, started: this.dates.short(row.started, this.now()) };
    const check = cell(element, "check");
    check?.setAttribute("aria-label", this.i18n.text("select", values));
    if (row.id === this.present) check?.setAttribute("title", this.i18n.text("present"));
    const link = /** @type {HTMLAnchorElement} */ (cell(element, "record"));
    link.hidden = this.addresses.record === null;
    link.href = (this.addresses.record ?? "").replace(/\/0\//, `/${encodeURIComponent(row.id.replaceAll("_", "_5F"))}/`);
    link.setAttribute("aria-label", this.i18n.text("record", values));
    return element;
  }

  /**
   * @param {HTMLElement} element
   * @param {Row} row
   * @param {string | null} gone
   * @param {boolean} selected
   */
  #fill(element, row, gone, selected) {
    const user = /** @type {HTMLAnchorElement} */ (cell(element, "user"));
    setText(user, row.user);
    if (this.addresses.account !== null) user.href = this.addresses.account + encodeURIComponent(row.user);
    const mine = cell(element, "mine");
    mine.hidden = !row.mine;
    setText(mine, this.i18n.text("you"));
    setText(cell(element, "device"), row.device || "–");
    setText(cell(element, "address"), row.address || "–");
    this.#moment(cell(element, "started"), row.started);
    this.#moment(cell(element, "seen"), row.seen);
    setText(cell(element, "tabs"), this.i18n.number(row.tabs));
    setText(cell(element, "hold"), row.hold === null ? "–" : row.hold || this.i18n.text("held"));
    setText(cell(element, "phase"), gone ?? this.#phase(row));
    setText(cell(element, "ends"), gone === null ? this.#ends(row) : "–");
    element.dataset.phase = gone === null ? row.phase : "gone";
    element.toggleAttribute("data-selected", selected);
    const check = /** @type {HTMLInputElement | null} */ (cell(element, "check"));
    if (check === null) return;
    check.checked = selected;
    check.disabled = gone !== null || row.id === this.present;
  }

  /** @param {Row} row */
  #phase(row) {
    if (row.phase !== PHASE.WARNED) return this.i18n.text("active");
    return row.reason === null ? this.i18n.text("warned") : this.i18n.text("warned_for", { reason: this.i18n.reason(row.reason) });
  }

  /** @param {Row} row */
  #ends(row) {
    return row.ends === null ? this.i18n.text("never") : countdown(row.ends - this.now());
  }

  /**
   * @param {HTMLElement} element
   * @param {number} at
   */
  #moment(element, at) {
    const text = this.dates.short(at, this.now());
    if (element.textContent === text) return;
    const time = /** @type {HTMLTimeElement} */ (element);
    time.dateTime = new Date(at * 1000).toISOString();
    time.title = this.dates.full(at);
    time.textContent = text;
  }

  #changed = (/** @type {Event} */ event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box === this.pageBox) this.delegate.onSelectPage(box.checked);
    else this.delegate.onSelect(box.closest("tr")?.dataset.id ?? "", box.checked);
  };

  #clicked = (/** @type {Event} */ event) => {
    const heading = /** @type {Element} */ (event.target).closest("button")?.closest("[data-sort]");
    if (!heading) return;
    const sort = heading.getAttribute("data-sort") ?? "";
    this.delegate.onSort(heading.getAttribute("aria-sort") === "ascending" ? `-${sort}` : sort);
  };
}

/**
 * @param {ParentNode} row
 * @param {string} name
 */
function cell(row, name) {
  return /** @type {HTMLElement} */ (row.querySelector(`[data-cell="${name}"]`));
}
