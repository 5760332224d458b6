/** The live page, put together. */

import { Clock, Timer } from "../core/clock.js";
import { CLOSE } from "../core/protocol.js";
import { Backoff } from "../transport/backoff.js";
import { ActionBar } from "./action_bar.js";
import { Banner } from "./banner.js";
import { Chart } from "./chart.js";
import { partOf, setPartText, setText } from "../ui/dom.js";
import { PausedOrder } from "./paused_order.js";
import { FRAME } from "./protocol.js";
import { change, findTheSame, fromAddress, toAddress } from "./query.js";
import { Rows } from "./rows.js";
import { Selection } from "./selection.js";
import { LiveSocket } from "./socket.js";
import { Table } from "./table.js";
import { ServerTime } from "./time.js";
import { Toolbar } from "./toolbar.js";
import { I18n } from "../ui/i18n.js";
import { Dates } from "./dates.js";

/** Seconds: the bounds of the first and of the last wait between two attempts. */
const RECONNECT = { base: 1, cap: 15 };
/** Seconds after which a page that nobody sees costs the server nothing any more. */
const UNSEEN = 10;

/**
 * @typedef {object} LiveConfig What the template hands over.
 * @property {string} socket
 * @property {string | null} count Where actions are counted; null for an operator who may only watch.
 * @property {string | null} act
 * @property {string | null} record The address of a record, `/0/` standing for its id.
 * @property {string | null} account The start of an account's address.
 * @property {string | null} present The id of the session that the operator is in.
 * @property {string} language Of the words.
 * @property {string} zone Of the times.
 * @property {Record<string, string>} strings
 * @property {Record<string, Plural>} plurals
 */

/** Ties the socket to what is shown. */
export class LivePage {
  #fresh = true;
  #gone = false;
  #ended = false;
  #total = 0;
  #bounded = false;
  #pages = 1;
  #heard = 0;

  /**
   * @param {object} options
   * @param {HTMLElement} options.root
   * @param {LiveConfig} options.config
   * @param {Clock} [options.clock]
   */
  constructor({ root, config, clock = new Clock() }) {
    this.root = root;
    this.wanted = fromAddress(window.location.search);
    this.i18n = new I18n(config);
    this.dates = new Dates(this.i18n.locale, config.zone);
    this.time = new ServerTime(clock);
    this.rows = new Rows();
    this.selection = new Selection();
    this.present = config.present;
    this.language = config.language;
    this.banner = new Banner({ root, clock, i18n: this.i18n, dates: this.dates });
    const now = () => this.time.now();
    this.chart = new Chart({ root, i18n: this.i18n, dates: this.dates, now });
    this.toolbar = new Toolbar({ root, clock, i18n: this.i18n, onWant: (changes) => this.#want(changes) });
    this.table = new Table({
      root,
      i18n: this.i18n,
      dates: this.dates,
      now,
      addresses: config,
      present: config.present,
      delegate: {
        onSelect: (id, selected) => this.#select(() => this.selection.set(id, selected, this.#selectable)),
        onSelectPage: (selected) => this.#select(() => this.selection.setPage(this.#selectable, selected)),
        onSort: (sort) => this.#want({ sort }),
        onHand: () => this.resting.follow(),
      },
    });
    this.resting = new PausedOrder({
      root,
      clock,
      i18n: this.i18n,
      rows: this.rows,
      delegate: {
        inHand: () => this.table.inHand || !this.selection.empty,
        onSettle: () => this.#show(),
        onHide: () => this.table.pageBox?.focus(),
      },
    });
    this.bar = this.#bar(config);
    this.socket = new LiveSocket({
      clock,
      backoff: new Backoff(RECONNECT),
      open: () => new WebSocket(socketAddress(config.socket)),
      delegate: {
        onFrame: (frame) => this.#work(frame),
        onUp: () => this.banner.up(),
        onDown: () => this.banner.lost(),
        onGone: (code) => this.#leave(code),
      },
    });
    this.ticking = new Timer(clock, () => this.#tick());
    this.unseen = new Timer(clock, () => this.socket.stop());
  }

  start() {
    this.root.hidden = false;
    for (const part of [this.table, this.toolbar, this.chart, this.resting]) part.start();
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
    window.addEventListener("online", () => this.socket.hurry());
    // The socket would keep the page out of the browser's cache, and a page from there is old.
    window.addEventListener("pagehide", () => this.socket.stop());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.#visibilityChanged();
    });
    // The socket was closed for good; somebody is signed in again.
    document.addEventListener("idlewatch:state", () => {
      if (this.#ended) window.location.reload();
    });
    this.#show();
    this.#watch();
    this.socket.start();
    this.#tick();
  }

  /** @param {LiveConfig} config */
  #bar({ count, act }) {
    if (count === null || act === null) return null;
    return new ActionBar({
      root: this.root,
      i18n: this.i18n,
      selection: this.selection,
      addresses: { count, act },
      wanted: () => this.wanted,
      known: (ids) => ids.map((id) => this.rows.get(id)),
      onSelection: () => this.#select(() => {}),
    });
  }

  /**
   * Look at something else.
   * @param {Partial<Query>} changes
   */
  #want(changes) {
    const before = this.wanted;
    this.wanted = change(before, changes);
    if (!findTheSame(before, this.wanted)) this.selection.clear();
    this.#fresh = true;
    this.table.element.setAttribute("aria-busy", "true");
    this.#remember();
    this.#show();
    this.#watch();
  }

  #watch() {
    this.socket.watch({ ...this.wanted, language: this.language });
  }

  /** The address has it, for reloading and sharing. */
  #remember() {
    const parameters = toAddress(this.wanted);
    window.history.replaceState(window.history.state, "", parameters ? `?${parameters}` : window.location.pathname);
  }

  /** @param {LiveFrame} frame */
  #work(frame) {
    if (frame.type === FRAME.UNAVAILABLE) this.banner.unavailable(this.#heard || this.time.now());
    if (frame.type === FRAME.ERROR) {
      console.error("idlewatch:", frame.code, frame.detail);
      this.banner.refused();
    }
    if (frame.type !== FRAME.PAGE && frame.type !== FRAME.CHANGES) return;
    this.time.hear(frame.now);
    this.#heard = frame.now;
    this.banner.clear();
    if (frame.counts !== undefined) {
      this.toolbar.count(frame.counts);
      this.chart.count(frame.counts);
    }
    this.#total = frame.total ?? this.#total;
    this.#bounded = frame.bounded ?? this.#bounded;
    this.#pages = frame.pages ?? this.#pages;
    if (frame.page !== undefined && frame.page !== this.wanted.page) {
      // There are fewer pages than that. If there will be more again, the operator stays on this one.
      this.wanted = change(this.wanted, { page: frame.page });
      this.#remember();
      this.#watch();
    }
    if (frame.type === FRAME.PAGE) {
      this.rows.replace(frame.rows, this.#fresh);
      this.#fresh = false;
      this.bar?.mended();
      this.chart.replace(frame.samples);
      this.table.element.setAttribute("aria-busy", "false");
    } else {
      this.rows.change(frame);
      if (frame.samples !== undefined) this.chart.add(frame.samples);
    }
    this.#show();
  }

  #show() {
    const { shown } = this.rows;
    this.toolbar.want(this.wanted);
    this.toolbar.turn(this.wanted.page, this.#pages, this.#total, this.#bounded);
    this.table.sorted(this.wanted.sort);
    const share = this.selection.share(this.#selectable);
    this.table.show(shown, (row) => this.#isSelected(row), this.i18n.text(this.#showsAll() ? "gone" : "left"));
    this.table.selected(share);
    this.bar?.show(share, this.#bounded || this.#total > this.rows.ids.length, this.#total, this.#bounded);
    const empty = partOf(this.root, "empty");
    empty.hidden = shown.length > 0 || this.#fresh || this.#bounded;
    setText(empty, this.i18n.text(this.#unfiltered() ? "empty" : "no_match"));
    setPartText(this.root, "bounded", this.#bounded ? this.i18n.text("bounded") : "");
    this.resting.show();
  }

  /** The ids on the page that an action may be meant for. */
  get #selectable() {
    return this.rows.ids.filter((id) => this.#isMeant(/** @type {Row} */ (this.rows.get(id))));
  }

  /**
   * Whether it is not left alone: the operator's present session always is, and all of theirs where all that match are meant.
   * @param {Row} row
   */
  #isMeant({ id, mine }) {
    return id !== this.present && !(mine && this.selection.all);
  }

  /** @param {Row} row */
  #isSelected(row) {
    return this.#isMeant(row) && this.selection.has(row.id);
  }

  #unfiltered() {
    return findTheSame(this.wanted, { ...this.wanted, search: "", phase: "", connected: "" });
  }

  /** Whether every live session is on this page, so that one that left it has ended. */
  #showsAll() {
    return this.#pages <= 1 && this.#unfiltered();
  }

  /** @param {() => void} change */
  #select(change) {
    if (this.#gone) return;
    change();
    this.resting.follow();
    this.#show();
  }

  #tick() {
    this.ticking.set(1);
    if (!this.#gone) this.table.tick(this.rows.shown);
  }

  /** Whoever does not look at the page needs no news; whoever looks again gets them at once. */
  #visibilityChanged() {
    if (this.#gone) return;
    if (document.visibilityState === "hidden") {
      this.unseen.set(UNSEEN);
      return;
    }
    this.unseen.clear();
    this.socket.start();
    this.socket.hurry();
  }

  /**
   * Who may not watch any more sees nothing any more; whose session has ended is told so by the page's own client.
   * @param {number} code
   */
  #leave(code) {
    this.#gone = true;
    this.#ended = code === CLOSE.ENDED;
    this.ticking.clear();
    this.banner.stop();
    if (code !== CLOSE.FORBIDDEN) return;
    this.bar?.abandon();
    this.rows.clear();
    // Before their markup goes: a row that had the focus loses it then, and says so.
    for (const part of [this.table, this.toolbar, this.chart, this.resting]) part.stop();
    partOf(this.root, "content").remove();
    partOf(this.root, "refusal").hidden = false;
  }
}

/**
 * Older browsers take absolute addresses alone.
 * @param {string} path
 */
function socketAddress(path) {
  const address = new URL(path, window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/** Start what the template has prepared. */
export function start() {
  const root = document.getElementById("live-sessions");
  if (root === null) return;
  new LivePage({ root, config: JSON.parse(root.dataset.config ?? "{}") }).start();
}
