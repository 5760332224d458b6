/** The controls of the query: counts that filter, the search, the pages. */

import { Timer } from "../core/clock.js";
import { enable, isEnabled, partOf, setPartText, setText } from "../ui/dom.js";
import { clean } from "./query.js";

/** Seconds after the last key before the search begins. */
const TYPING_PAUSE = 0.3;

/** Shows the query, and asks for changes of it. */
export class Toolbar {
  #stopping = new AbortController();
  #typing;
  #query = /** @type {Query | null} */ (null);
  #pages = 1;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {Clock} options.clock
   * @param {LiveI18n} options.i18n
   * @param {(changes: Partial<Query>) => void} options.onQuery
   */
  constructor({ root, clock, i18n, onQuery }) {
    this.root = root;
    this.i18n = i18n;
    this.onQuery = onQuery;
    this.form = partOf(root, "search");
    this.field = /** @type {HTMLInputElement} */ (this.form.querySelector("input"));
    this.size = /** @type {HTMLSelectElement} */ (partOf(root, "size"));
    this.#typing = new Timer(clock, () => this.#search());
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    this.root.addEventListener("click", this.#click, options);
    this.field.addEventListener("input", () => this.#typing.start(TYPING_PAUSE), options);
    this.size.addEventListener("change", () => this.onQuery({ size: Number(this.size.value) }), options);
    this.form.addEventListener("submit", this.#submit, options);
  }

  stop() {
    this.#typing.cancel();
    this.#stopping.abort();
  }

  /** @param {Query} query */
  show(query) {
    this.#query = query;
    if (this.field.ownerDocument.activeElement !== this.field) this.field.value = query.search;
    this.size.value = String(query.size);
    for (const button of this.root.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(isPressed(button, query)));
    }
  }

  /** @param {Counts} counts */
  count({ active, warned, connected }) {
    const live = active + warned;
    const numbers = { live, active, warned, connected, away: Math.max(0, live - connected) };
    for (const [name, number] of Object.entries(numbers)) {
      setText(/** @type {Element} */ (this.root.querySelector(`[data-count="${name}"]`)), this.i18n.number(number));
    }
  }

  /**
   * @param {number} page
   * @param {Results} results
   */
  showPage(page, { pages, total, bounded }) {
    this.#pages = pages;
    const count = bounded ? this.i18n.text("at_least", { total }) : this.i18n.plural("total", total);
    setPartText(this.root, "total", count);
    setPartText(this.root, "page", this.i18n.text("page", { page, pages: Math.max(1, pages) }));
    for (const button of this.root.querySelectorAll("button[data-page]")) {
      const back = ["first", "previous"].includes(button.getAttribute("data-page") ?? "");
      enable(button, back ? page > 1 : page < pages);
    }
  }

  #submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    this.#search();
  };

  #search() {
    this.#typing.cancel();
    const search = clean(this.field.value);
    if (search !== this.#query?.search) this.onQuery({ search });
  }

  #click = (/** @type {Event} */ event) => {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (button === null || !isEnabled(button) || this.#query === null) return;
    const { filter, value = "", page } = button.dataset;
    if (page !== undefined) this.onQuery({ page: this.#pageNamed(page, this.#query.page) });
    else if (filter === "") this.onQuery({ phase: "", connected: "" });
    else if (filter !== undefined) this.onQuery({ [filter]: isPressed(button, this.#query) ? "" : value });
  };

  /**
   * @param {string} name
   * @param {number} page
   */
  #pageNamed(name, page) {
    const pages = /** @type {Record<string, number>} */ ({
      first: 1,
      previous: page - 1,
      next: page + 1,
      last: this.#pages,
    });
    return Math.max(1, pages[name]);
  }
}

/**
 * @param {Element} button
 * @param {Query} query
 */
function isPressed(button, query) {
  const filter = button.getAttribute("data-filter");
  if (!filter) return query.phase === "" && query.connected === "";
  return query[/** @type {"phase" | "connected"} */ (filter)] === button.getAttribute("data-value");
}
