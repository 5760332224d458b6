/** What the server has found for the query: the rows of one page, and how many there are on all. */

import { FRAME } from "./protocol.js";
import { isUnfiltered } from "./query.js";
import { Rows } from "./rows.js";

/** Applies the frames that answer the query. */
export class Results {
  rows = new Rows();
  total = 0;
  /** Whether there are more than `total`. */
  bounded = false;
  pages = 1;
  /** Whether the query is new, and its first page not here yet. */
  awaited = true;

  /** Whether more sessions match than are on this page. */
  get elsewhere() {
    return this.bounded || this.total > this.rows.ids.length;
  }

  /** @param {PageFrame | ChangesFrame} frame */
  apply(frame) {
    this.total = frame.total ?? this.total;
    this.bounded = frame.bounded ?? this.bounded;
    this.pages = frame.pages ?? this.pages;
    if (frame.type !== FRAME.PAGE) {
      this.rows.change(frame);
      return;
    }
    this.rows.replace(frame.rows, this.awaited);
    this.awaited = false;
  }

  /**
   * Return whether every live session is on this page, so that one that left the page has ended.
   * @param {Query} query
   */
  areComplete(query) {
    return this.pages <= 1 && isUnfiltered(query);
  }
}
