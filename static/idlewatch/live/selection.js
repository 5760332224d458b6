/** Which sessions the operator has selected: some by their ids, or all that match the query. */

/** Ids that the server takes at once. */
export const MAX_SELECTED = 1000;

/** Keeps a selection while rows come and go. */
export class Selection {
  #ids = /** @type {Set<string>} */ (new Set());
  #all = false;

  /** @param {string | null} [present] The session that the operator is in, which no action may concern. */
  constructor(present = null) {
    this.present = present;
  }

  /** Whether all that match are selected, on every page. */
  get all() {
    return this.#all;
  }

  get empty() {
    return !this.#all && this.#ids.size === 0;
  }

  /** Whether it takes no more ids. */
  get full() {
    return this.#ids.size >= MAX_SELECTED;
  }

  get ids() {
    return [...this.#ids];
  }

  /** @param {string} id */
  has(id) {
    return this.#all || this.#ids.has(id);
  }

  /**
   * Return whether an action may concern a session. All of the operator's own are left alone where all that match are
   * selected.
   * @param {Row} row
   */
  admits({ id, mine }) {
    return id !== this.present && !(mine && this.#all);
  }

  /** @param {Row} row */
  covers(row) {
    return this.admits(row) && this.has(row.id);
  }

  /**
   * @param {string} id
   * @param {boolean} selected
   * @param {string[]} page The ids on its page: they remain selected when one is taken out of all.
   */
  set(id, selected, page) {
    if (this.#all) {
      this.#all = false;
      this.#ids = new Set(page);
    }
    if (!selected) this.#ids.delete(id);
    else if (!this.full) this.#ids.add(id);
  }

  /**
   * @param {string[]} page
   * @param {boolean} selected
   */
  setPage(page, selected) {
    if (this.#all) this.clear();
    for (const id of page) this.set(id, selected, page);
  }

  selectAll() {
    this.#ids.clear();
    this.#all = true;
  }

  clear() {
    this.#ids.clear();
    this.#all = false;
  }

  /**
   * Return how much of a page is selected.
   * @param {string[]} page
   * @returns {"none" | "some" | "all"}
   */
  share(page) {
    const selected = page.filter((id) => this.has(id)).length;
    if (selected === 0) return "none";
    return selected === page.length ? "all" : "some";
  }
}
