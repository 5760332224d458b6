/** The live page: ties the socket to what is shown. */

import { Clock, Timer } from "../core/clock.js";
import { CLOSE } from "../core/protocol.js";
import { Backoff } from "../transport/backoff.js";
import { FRAME } from "./protocol.js";
import { change, findTheSame, fromAddress, toAddress } from "./query.js";
import { Results } from "./results.js";
import { Selection } from "./selection.js";
import { LiveSocket } from "./socket.js";
import { ServerTime } from "./time.js";
import { LiveView } from "./view.js";

/** Seconds: the bounds of the first and of the last wait between two attempts. */
const RECONNECT = { base: 1, cap: 15 };
/** Seconds after which a hidden page closes its socket. */
const HIDDEN_TIMEOUT = 10;

/**
 * @typedef {object} LiveConfig What the template hands over.
 * @property {string} socket
 * @property {string | null} count Where actions are counted; null for an operator who may only watch.
 * @property {string | null} act
 * @property {string} csrfHeader The name of the header for the CSRF token.
 * @property {string | null} record The address of a record, `/0/` standing for its id.
 * @property {string | null} account The start of an account's address.
 * @property {string | null} present The session that the operator is in.
 * @property {string} language Of the sentences.
 * @property {string} zone The time zone of the site.
 * @property {Record<string, string>} strings
 * @property {Record<string, Plural>} plurals
 */

/** Sends the query, applies the answers, and keeps the socket open while the page is visible. */
export class LivePage {
  #stopping = new AbortController();
  #closed = /** @type {number | null} */ (null);
  #updatedAt = 0;
  #ticking;
  #hidden;

  /**
   * @param {object} options
   * @param {HTMLElement} options.root
   * @param {Window} options.window
   * @param {LiveConfig} options.config
   * @param {() => WebSocket} options.open
   * @param {Clock} [options.clock]
   */
  constructor({ root, window, config, open, clock = new Clock() }) {
    this.window = window;
    this.language = config.language;
    this.query = fromAddress(window.location.search);
    this.time = new ServerTime(clock);
    this.results = new Results();
    this.selection = new Selection(config.present);
    this.view = new LiveView({
      root,
      clock,
      config,
      fetch: window.fetch.bind(window),
      now: () => this.time.now(),
      results: this.results,
      selection: this.selection,
      delegate: {
        query: () => this.query,
        onQuery: (changes) => this.#change(changes),
        onSelection: (change) => this.#select(change),
        onSettle: () => this.#show(),
      },
    });
    this.socket = new LiveSocket({
      clock,
      backoff: new Backoff(RECONNECT),
      open,
      delegate: {
        onFrame: (frame) => this.#receive(frame),
        onUp: () => this.view.banner.up(),
        onDown: () => this.view.banner.lost(),
        onGone: (code) => this.#close(code),
      },
    });
    this.#ticking = new Timer(clock, () => this.#tick());
    this.#hidden = new Timer(clock, () => this.socket.stop());
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    const { window } = this;
    window.document.addEventListener("visibilitychange", this.#see, options);
    window.document.addEventListener("idlewatch:state", this.#reload, options);
    window.addEventListener("online", () => this.socket.hurry(), options);
    // An open socket would keep the page out of the back/forward cache, and a page from there is out of date.
    window.addEventListener("pagehide", () => this.socket.stop(), options);
    window.addEventListener("pageshow", (event) => event.persisted && this.#see(), options);
    this.view.start();
    this.#show();
    this.#ask();
    this.socket.start();
    this.#tick();
  }

  stop() {
    this.#stopping.abort();
    this.#ticking.cancel();
    this.#hidden.cancel();
    this.socket.stop();
    this.view.stop();
  }

  /**
   * Change the query.
   * @param {Partial<Query>} changes
   */
  #change(changes) {
    const before = this.query;
    this.query = change(before, changes);
    if (!findTheSame(before, this.query)) this.selection.clear();
    this.results.awaited = true;
    this.view.table.busy = true;
    this.#remember();
    this.#show();
    this.#ask();
  }

  #ask() {
    this.socket.watch({ ...this.query, language: this.language });
  }

  /** Write the query into the page's address. */
  #remember() {
    const { history, location } = this.window;
    const parameters = toAddress(this.query);
    history.replaceState(history.state, "", parameters ? `?${parameters}` : location.pathname);
  }

  /** @param {LiveFrame} frame */
  #receive(frame) {
    if (frame.type === FRAME.UNAVAILABLE) this.view.banner.unavailable(this.#updatedAt || this.time.now());
    else if (frame.type === FRAME.ERROR) {
      console.error("idlewatch:", frame.code, frame.detail);
      this.view.banner.refused();
    } else this.#apply(frame);
  }

  /** @param {PageFrame | ChangesFrame} frame */
  #apply(frame) {
    this.time.set(frame.now);
    this.#updatedAt = frame.now;
    if (frame.page !== undefined && frame.page !== this.query.page) this.#moveTo(frame.page);
    this.results.apply(frame);
    this.view.apply(frame);
    this.#show();
  }

  /**
   * Follow the server to its last page, which is before the one asked for, and stay there when there are more again.
   * @param {number} page
   */
  #moveTo(page) {
    this.query = change(this.query, { page });
    this.#remember();
    this.#ask();
  }

  #show() {
    this.view.show(this.query);
  }

  /** @param {() => void} change */
  #select(change) {
    if (this.#closed !== null) return;
    change();
    this.view.pausedOrder.update();
    this.#show();
  }

  #tick() {
    this.#ticking.start(1);
    this.view.tick();
  }

  /** Close the socket of a hidden page after a while; open it at once when the page is visible again. */
  #see = () => {
    if (this.#closed !== null) return;
    if (this.window.document.visibilityState === "hidden") {
      this.#hidden.start(HIDDEN_TIMEOUT);
      return;
    }
    this.#hidden.cancel();
    this.socket.start();
    this.socket.hurry();
  };

  /** Reload a page whose session had ended: a state event means that its user has signed in again. */
  #reload = () => {
    if (this.#closed === CLOSE.ENDED) this.window.location.reload();
  };

  /**
   * Stop updating. The tab's client tells an operator whose session has ended; one whose permission is gone sees nothing more.
   * @param {number} code
   */
  #close(code) {
    this.#closed = code;
    this.#ticking.cancel();
    this.view.banner.stop();
    if (code !== CLOSE.FORBIDDEN) return;
    this.results.rows.clear();
    this.view.refuse();
  }
}
