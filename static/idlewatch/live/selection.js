/** Which sessions the operator has selected: some by their ids, or all that match. */

/** Ids that the server takes at once, at most. */
export const MOST = 1000;

/** Keeps a selection while rows come and go. */
export class Selection {
  #ids = /** @type {Set<string>} */ (new Set());
  #all = false;

  /** Whether it is all that match, on whatever page. */
  get all() {
    return this.#all;
  }

  get empty() {
    return !this.#all && this.#ids.size === 0;
  }

  /** Whether it takes no more ids. */
  get full() {
    return this.#ids.size >= MOST;
  }

  get ids() {
    return [...this.#ids];
  }

  /** @param {string} id */
  has(id) {
    return this.#all || this.#ids.has(id);
  }

  /**
   * @param {string} id
   * @param {boolean} selected
   * @param {string[]} page The ids beside it: what remains of all when one is taken out.
   */
  set(id, selected, page) {
    if (this.#all) {
      this.#all = false;
      this.#ids = new Set(page);
    }
    if (!selected) this.#ids.delete(id);
    else if (this.#ids.size < MOST) this.#ids.add(id);
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
   * How much of a page is selected.
   * @param {string[]} page
   * @returns {"none" | "some" | "all"}
   */
  share(page) {
    const selected = page.filter((id) => this.has(id)).length;
    if (selected === 0) return "none";
    return selected === page.length ? "all" : "some";
  }
}
