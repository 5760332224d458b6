/** What the operator looks at, and how to look at something else: counts that filter, search, pages. */

import { Timer } from "../core/clock.js";
import { enable, isEnabled, partOf, setPartText, setText } from "../ui/dom.js";
import { clean } from "./query.js";

/** Seconds without a key before the search begins. */
const TYPING = 0.3;

/** Shows what is wanted, and says when something else is. */
export class Toolbar {
  #stopping = new AbortController();
  #typing;
  #wanted = /** @type {Query | null} */ (null);
  #pages = 1;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {Clock} options.clock
   * @param {I18n} options.i18n
   * @param {(changes: Partial<Query>) => void} options.onWant
   */
  constructor({ root, clock, i18n, onWant }) {
    this.root = root;
    this.i18n = i18n;
    this.onWant = onWant;
    this.form = partOf(root, "search");
    this.field = /** @type {HTMLInputElement} */ (this.form.querySelector("input"));
    this.size = /** @type {HTMLSelectElement} */ (partOf(root, "size"));
    this.#typing = new Timer(clock, () => this.#search());
  }

  start() {
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.root.addEventListener("click", this.#clicked, { signal });
    this.field.addEventListener("input", () => this.#typing.set(TYPING), { signal });
    this.size.addEventListener("change", () => this.onWant({ size: Number(this.size.value) }), { signal });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    }, { signal });
  }

  stop() {
    this.#typing.clear();
    this.#stopping.abort();
  }

  /** @param {Query} wanted */
  want(wanted) {
    this.#wanted = wanted;
    if (document.activeElement !== this.field) this.field.value = wanted.search;
    this.size.value = String(wanted.size);
    for (const button of this.root.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(isWanted(button, wanted)));
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
   * @param {number} pages
   * @param {number} total
   * @param {boolean} bounded There are more than that.
   */
  turn(page, pages, total, bounded) {
    this.#pages = pages;
    setPartText(this.root, "total", bounded ? this.i18n.text("at_least", { total }) : this.i18n.plural("total", total));
    setPartText(this.root, "page", this.i18n.text("page", { page, pages: Math.max(1, pages) }));
    for (const button of this.root.querySelectorAll("button[data-page]")) {
      const back = ["first", "previous"].includes(button.getAttribute("data-page") ?? "");
      enable(button, back ? page > 1 : page < pages);
    }
  }

  #search() {
    this.#typing.clear();
    const search = clean(this.field.value);
    if (search !== this.#wanted?.search) this.onWant({ search });
  }

  #clicked = (/** @type {Event} */ event) => {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (button === null || !isEnabled(button) || this.#wanted === null) return;
    const { filter, value = "", page } = button.dataset;
    if (page !== undefined) this.onWant({ page: this.#turnedTo(page, this.#wanted.page) });
    else if (filter === "") this.onWant({ phase: "", connected: "" });
    else if (filter !== undefined) this.onWant({ [filter]: isWanted(button, this.#wanted) ? "" : value });
  };

  /**
   * @param {string} name
   * @param {number} page
   */
  #turnedTo(name, page) {
    const places = /** @type {Record<string, number>} */ ({
      first: 1,
      previous: page - 1,
      next: page + 1,
      last: this.#pages,
    });
    return Math.max(1, places[name]);
  }
}

/**
 * @param {Element} button
 * @param {Query} wanted
 */
function isWanted(button, wanted) {
  const filter = button.getAttribute("data-filter");
  if (!filter) return wanted.phase === "" && wanted.connected === "";
  return wanted[/** @type {"phase" | "connected"} */ (filter)] === button.getAttribute("data-value");
}
