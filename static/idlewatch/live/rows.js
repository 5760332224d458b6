/** The rows as the server has them, and as they are shown: under the operator's hand their order rests. */

/**
 * @typedef {object} Shown
 * @property {Row} row As it was last known.
 * @property {boolean} gone The server's page has it no more.
 */

/** Works differences in. */
export class Rows {
  #rows = /** @type {Map<string, Row>} */ (new Map());
  #order = /** @type {string[]} */ ([]);
  #shown = /** @type {string[]} */ ([]);
  /** Whether the order stays as it is shown; values change all the same. */
  resting = false;

  /** The rows to show, in their order. */
  get shown() {
    const present = new Set(this.#order);
    return this.#shown.map((id) => ({ row: /** @type {Row} */ (this.#rows.get(id)), gone: !present.has(id) }));
  }

  /** How many rows came, left or moved that are not shown so. */
  get waiting() {
    const present = new Set(this.#order);
    const standing = new Set(this.#shown);
    const stay = this.#shown.filter((id) => present.has(id));
    const now = this.#order.filter((id) => standing.has(id));
    const moved = now.filter((id, place) => id !== stay[place]).length;
    return moved + (this.#shown.length - stay.length) + (this.#order.length - now.length);
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
   * Take a whole page.
   * @param {Row[]} rows
   * @param {boolean} fresh It is what the operator asked for: nothing rests.
   */
  replace(rows, fresh) {
    for (const row of rows) this.#rows.set(row.id, row);
    this.#order = rows.map((row) => row.id);
    this.#advance(fresh);
  }

  /**
   * Take a difference.
   * @param {{order?: string[], rows?: Record<string, Partial<Row>>}} difference
   */
  change({ order, rows = {} }) {
    for (const [id, fields] of Object.entries(rows)) {
      this.#rows.set(id, /** @type {Row} */ ({ ...this.#rows.get(id), ...fields, id }));
    }
    // A row that was never told of can't be shown.
    if (order !== undefined) this.#order = order.filter((id) => this.#rows.has(id));
    this.#advance(false);
  }

  /** Show the rows as the server has them. */
  settle() {
    this.#shown = [...this.#order];
    this.#forget();
  }

  clear() {
    this.#order = [];
    this.settle();
  }

  /** @param {boolean} fresh */
  #advance(fresh) {
    if (fresh || !this.resting) this.settle();
    else this.#forget();
  }

  /** Whoever rests for hours must not keep every session that passed by. */
  #forget() {
    const kept = new Set([...this.#order, ...this.#shown]);
    for (const id of this.#rows.keys()) if (!kept.has(id)) this.#rows.delete(id);
  }
}
