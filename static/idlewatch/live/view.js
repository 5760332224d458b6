/** Everything that the operator sees of the live page, put together. */

import { partOf, setPartText, setText } from "../ui/dom.js";
import { ActionBar } from "./action_bar.js";
import { Banner } from "./banner.js";
import { Chart } from "./chart.js";
import { Dates } from "./dates.js";
import { LiveI18n } from "./i18n.js";
import { PausedOrder } from "./paused_order.js";
import { FRAME } from "./protocol.js";
import { isUnfiltered } from "./query.js";
import { Table } from "./table.js";
import { Toolbar } from "./toolbar.js";

/**
 * @typedef {object} LiveViewDelegate
 * @property {() => Query} query
 * @property {(changes: Partial<Query>) => void} onQuery
 * @property {(change: () => void) => void} onSelection Gets what changes the selection.
 * @property {() => void} onSettle The order of the rows is the server's again.
 */

/** Shows results and selection, and reports what the operator does. */
export class LiveView {
  /**
   * @param {object} options
   * @param {HTMLElement} options.root
   * @param {typeof window.fetch} options.fetch
   * @param {Clock} options.clock
   * @param {LiveConfig} options.config
   * @param {() => number} options.now Epoch seconds, by the server's clock.
   * @param {Results} options.results
   * @param {LiveSelection} options.selection
   * @param {LiveViewDelegate} options.delegate
   */
  constructor({ root, fetch, clock, config, now, results, selection, delegate }) {
    const i18n = new LiveI18n(config);
    const dates = new Dates(i18n.locale, config.zone);
    this.root = root;
    this.i18n = i18n;
    this.results = results;
    this.selection = selection;
    this.banner = new Banner({ root, clock, i18n, dates });
    this.chart = new Chart({ root, i18n, dates, now });
    this.toolbar = new Toolbar({ root, clock, i18n, onQuery: delegate.onQuery });
    this.table = new Table({
      root,
      context: { i18n, dates, now, addresses: config, present: config.present },
      delegate: {
        onSelect: (id, on) => delegate.onSelection(() => selection.set(id, on, this.#selectable)),
        onSelectPage: (on) => delegate.onSelection(() => selection.setPage(this.#selectable, on)),
        onSort: (sort) => delegate.onQuery({ sort }),
        onUse: () => this.pausedOrder.update(),
      },
    });
    this.pausedOrder = new PausedOrder({
      root,
      clock,
      i18n,
      rows: results.rows,
      delegate: {
        inUse: () => this.table.inUse || !selection.empty,
        onSettle: delegate.onSettle,
        onHide: () => this.table.pageBox?.focus(),
      },
    });
    const { count, act, csrfHeader } = config;
    this.actionBar =
      count === null || act === null
        ? null
        : new ActionBar({
            root,
            fetch,
            i18n,
            selection,
            addresses: { count, act },
            csrfHeader,
            query: delegate.query,
            find: (id) => results.rows.get(id),
            onSelection: () => delegate.onSelection(() => {}),
          });
  }

  start() {
    this.root.hidden = false;
    for (const part of this.#parts) part?.start();
  }

  stop() {
    this.banner.stop();
    for (const part of this.#parts) part?.stop();
  }

  /**
   * Apply what a frame has besides the rows.
   * @param {PageFrame | ChangesFrame} frame
   */
  apply(frame) {
    this.banner.clear();
    if (frame.counts !== undefined) {
      this.toolbar.count(frame.counts);
      this.chart.count(frame.counts);
    }
    if (frame.type === FRAME.PAGE) {
      this.actionBar?.recover();
      this.chart.replace(frame.samples);
      this.table.busy = false;
    } else if (frame.samples !== undefined) this.chart.add(frame.samples);
  }

  /** @param {Query} query */
  show(query) {
    const { rows, bounded, awaited } = this.results;
    const { shown } = rows;
    this.toolbar.show(query);
    this.toolbar.showPage(query.page, this.results);
    this.table.showSort(query.sort);
    const gone = this.i18n.text(this.results.areComplete(query) ? "gone" : "left");
    this.table.show(shown, (row) => this.selection.covers(row), gone);
    const share = this.selection.share(this.#selectable);
    this.table.showShare(share);
    this.actionBar?.show(share, this.results);
    const empty = partOf(this.root, "empty");
    empty.hidden = shown.length > 0 || awaited || bounded;
    setText(empty, this.i18n.text(isUnfiltered(query) ? "empty" : "no_match"));
    setPartText(this.root, "bounded", bounded ? this.i18n.text("bounded") : "");
    this.pausedOrder.show();
  }

  /** Update the countdowns. */
  tick() {
    this.table.tick(this.results.rows.shown);
  }

  /** Take everything away from an operator whose permission is gone. */
  refuse() {
    // Before the markup goes: a row that loses the focus reports it.
    this.stop();
    partOf(this.root, "content").remove();
    partOf(this.root, "refusal").hidden = false;
  }

  get #parts() {
    return [this.table, this.toolbar, this.chart, this.pausedOrder, this.actionBar];
  }

  /** The ids on the page that an action may concern. */
  get #selectable() {
    const { rows } = this.results;
    return rows.ids.filter((id) => this.selection.admits(/** @type {Row} */ (rows.get(id))));
  }
}
