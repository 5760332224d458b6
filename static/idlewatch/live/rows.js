/** The rows as the server has them, and as they are shown: while the order is paused, the two differ. */

/**
 * @typedef {object} ShownRow
 * @property {Row} row As it was last known.
 * @property {boolean} gone Whether it has left the server's page.
 */

/** Applies pages and changes. */
export class Rows {
  #rows = /** @type {Map<string, Row>} */ (new Map());
  #order = /** @type {string[]} */ ([]);
  #shown = /** @type {string[]} */ ([]);
  /** Whether the shown order stays as it is; values change all the same. */
  paused = false;

  /** The rows to show, in their order. */
  get shown() {
    const present = new Set(this.#order);
    return this.#shown.map((id) => ({ row: /** @type {Row} */ (this.#rows.get(id)), gone: !present.has(id) }));
  }

  /** How many rows came, left or moved since the order was paused. */
  get pending() {
    const present = new Set(this.#order);
    const shown = new Set(this.#shown);
    const before = this.#shown.filter((id) => present.has(id));
    const now = this.#order.filter((id) => shown.has(id));
    const moved = now.filter((id, index) => id !== before[index]).length;
    return moved + (this.#shown.length - before.length) + (this.#order.length - now.length);
  }

  /** The ids on the server's page. */
  get ids() {
    return this.#order;
  }

  /** @param {string} id */
  get(id) {
    return this.#rows.get(id);
  }

  /**
   * Apply a whole page.
   * @param {Row[]} rows
   * @param {boolean} requested Whether the operator asked for it: then its order is shown at once.
   */
  replace(rows, requested) {
    for (const row of rows) this.#rows.set(row.id, row);
    this.#order = rows.map((row) => row.id);
    this.#update(requested);
  }

  /**
   * Apply what has changed.
   * @param {{order?: string[], rows?: Record<string, Partial<Row>>}} changes
   */
  change({ order, rows = {} }) {
    for (const [id, fields] of Object.entries(rows)) {
      this.#rows.set(id, /** @type {Row} */ ({ ...this.#rows.get(id), ...fields, id }));
    }
    // An id without a row cannot be shown.
    if (order !== undefined) this.#order = order.filter((id) => this.#rows.has(id));
    this.#update(false);
  }

  /** Show the server's order. */
  settle() {
    this.#shown = [...this.#order];
    this.#forget();
  }

  clear() {
    this.#order = [];
    this.settle();
  }

  /** @param {boolean} requested */
  #update(requested) {
    if (requested || !this.paused) this.settle();
    else this.#forget();
  }

  /** Drop the rows that are neither shown nor on the server's page: a pause of hours must not keep all that passed by. */
  #forget() {
    const needed = new Set([...this.#order, ...this.#shown]);
    for (const id of this.#rows.keys()) if (!needed.has(id)) this.#rows.delete(id);
  }
}
