/** Everything that the user sees of the client, put together. */

import { PHASE } from "../core/protocol.js";
import { Timer } from "../core/clock.js";
import { Announcer } from "./announcer.js";
import { WarningDialog } from "./dialog.js";
import { setPartText } from "./dom.js";
import { countdown } from "./i18n.js";
import { Notice } from "./notice.js";
import { Overlay } from "./overlay.js";
import { TabTitle } from "./title.js";
import { TopLayer } from "./top_layer.js";

/** Seconds for reading the reason before the sign-in page comes. */
const READING = 2;
/** A link under which a tab opens where no small window may; the other kind leaves this tab. */
const SIGN_IN = "[data-idlewatch-part=sign-in]";
/** Links that are to open the small window. */
const SIGN_INS = "[data-idlewatch-part^=sign-in]";
/** Seconds that a lost connection may take to come back before the user is bothered with it. */
const BEAR = 3;

/** What the small window for signing in again is called, and how it looks. */
const SMALL_WINDOW = /** @type {const} */ (["idlewatch-sign-in", "popup,width=480,height=640"]);
/** A token in what htmx sends with each request. */
const TOKEN = /(["']X-CSRFToken["']\s*:\s*["'])[^"']*/i;

/**
 * @typedef {object} ViewConfig
 * @property {string} language Of the words, which is not always the page's.
 * @property {string} direction
 * @property {string} login Where to sign in, until the server says it.
 * @property {string} signIn Where to sign in again without losing the page.
 * @property {string} home The start page.
 * @property {string} csrf The token of the newest sign-in.
 */

/** Shows a state; the parts' markup comes from the page's template, where the host may replace it. */
export class PageView {
  #offline;
  #leaving;
  #kept = false;
  #departs = false;
  #limited = false;
  #destination = "";
  #small = /** @type {Window | null} */ (null);
  #notices = /** @type {Set<string>} */ (new Set());

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {DocumentFragment} options.markup
   * @param {I18n} options.i18n
   * @param {UnsavedInput} options.unsaved
   * @param {ViewConfig} options.config
   * @param {() => void} options.onStay
   * @param {() => boolean} options.leaves Whether the page is on its way elsewhere already.
   */
  constructor({ window, clock, markup, i18n, unsaved, config, onStay, leaves }) {
    const { document } = window;
    const topLayer = new TopLayer({ document, markup, language: config.language, direction: config.direction });
    this.window = window;
    this.i18n = i18n;
    this.unsaved = unsaved;
    this.config = config;
    this.leaves = leaves;
    this.topLayer = topLayer;
    const element = /** @type {HTMLDialogElement} */ (this.#piece("dialog"));
    this.dialog = new WarningDialog({ element, topLayer, i18n, onStay, csrf: () => config.csrf });
    this.title = new TabTitle(document);
    const overlay = /** @type {HTMLDialogElement} */ (this.#piece("overlay"));
    this.overlay = new Overlay({ document, topLayer, title: this.title, element: overlay });
    this.absolute = new Notice(this.#piece("absolute"), topLayer);
    this.badge = new Notice(this.#piece("offline"), topLayer);
    this.word = this.#piece("notice");
    this.word.remove();
    this.announcer = new Announcer((seconds) => {
      this.absolute.show({ announcement: i18n.text("left", { time: i18n.duration(seconds) }) });
    });
    this.#offline = new Timer(clock, () => this.badge.show());
    this.#leaving = new Timer(clock, () => this.#go());
    for (const piece of [this.overlay.element, this.absolute.element]) piece.addEventListener("click", this.#open);
  }

  /** @param {State} state */
  show(state) {
    this.topLayer.settle();
    const warned = state.phase === PHASE.WARNED && !state.hidden;
    const asks = warned && state.extendable;
    this.#tellOffline(state.offline && !asks && !(state.hidden && state.remaining <= 0));
    if (asks) this.dialog.show(state);
    else this.dialog.hide();
    this.#warnOfLimit(warned && !asks, state.remaining);
    if (warned && this.#unseen) this.title.show(this.i18n.text("title", { time: countdown(state.remaining) }));
    else this.title.hide();
    if (!state.hidden) this.overlay.hide();
    else if (state.remaining > 0) this.overlay.dim();
    else this.#hide(state.offline ? "offline" : "checking");
  }

  /** @param {State} state */
  end(state) {
    this.#clear();
    this.#destination = this.#signIn(state.login_url ?? this.config.login);
    setPartText(this.overlay.element, "reason", this.i18n.reason(state.reason));
    for (const link of this.overlay.element.querySelectorAll("a")) {
      if (!link.matches(SIGN_IN)) link.href = this.#destination;
    }
    this.#hide("ended");
  }

  /** On to the sign-in page, once the user has had the time to read why; what was typed keeps the page here. */
  leave() {
    this.#departs = !this.#kept;
    this.#depart();
  }

  /** The page has come back from the browser's cache after its end: the server knows what to show in its place. */
  comeBack() {
    if (!this.#kept) this.window.location.reload();
  }

  /** Show the page again as it was: its user has signed in again. */
  restore() {
    this.#departs = false;
    this.#leaving.clear();
    this.overlay.hide();
    this.#kept = false;
  }

  /** Let go of the content for good, and of the page: somebody else has signed in. */
  foreign() {
    this.#clear();
    this.#departs = false;
    this.#leaving.clear();
    this.#hide("checking");
    this.overlay.discard();
    // Nothing of the page is left then, its listeners included, one that would ask before it is left among them.
    this.window.document.open();
    this.window.location.replace(this.config.home);
  }

  /**
   * Give forms the token of a new sign-in: theirs are old.
   * @param {string} csrf
   */
  refresh(csrf) {
    for (const element of this.overlay.find("*")) {
      if (element.matches("input[name=csrfmiddlewaretoken]")) /** @type {HTMLInputElement} */ (element).value = csrf;
      for (const attribute of element.attributes) {
        if (attribute.name.includes("hx-headers")) attribute.value = attribute.value.replace(TOKEN, `$1${csrf}`);
      }
    }
  }

  /** Whether the page is kept, covered, for what was typed in it. */
  get kept() {
    return this.#kept;
  }

  /**
   * Show an operator's word.
   * @param {string} text
   * @param {string} id
   */
  notice(text, id) {
    if (this.#notices.has(id)) return;
    this.#notices.add(id);
    new Notice(/** @type {HTMLElement} */ (this.word.cloneNode(true)), this.topLayer).show({ text });
  }

  get #unseen() {
    return this.window.document.visibilityState === "hidden";
  }

  /** Nothing but the cover has something to say any more. */
  #clear() {
    this.#tellOffline(false);
    this.dialog.hide();
    this.#warnOfLimit(false);
    this.title.hide();
  }

  /** @param {boolean} offline */
  #tellOffline(offline) {
    if (!offline) {
      this.#offline.clear();
      this.badge.hide();
    } else if (!this.#offline.running && !this.badge.element.isConnected) this.#offline.set(BEAR);
  }

  /**
   * @param {boolean} near
   * @param {number} [remaining]
   */
  #warnOfLimit(near, remaining = 0) {
    if (near && !this.#limited) {
      this.announcer.start(remaining);
      this.absolute.show({ announcement: "" });
    }
    this.#limited = near;
    if (!near) {
      this.absolute.hide();
      return;
    }
    this.absolute.show({ countdown: countdown(remaining) });
    this.announcer.tick(remaining);
  }

  /** @param {"offline" | "checking" | "ended"} why */
  #hide(why) {
    const { element } = this.overlay;
    // Asked while the fields are in the page still; an end that follows must know it.
    if (!this.overlay.shown) this.#kept = this.unsaved.any || this.#asks;
    const kind = why === "ended" && this.#kept ? "unsaved" : why;
    for (const part of element.querySelectorAll("[data-idlewatch-when]")) {
      const kinds = part.getAttribute("data-idlewatch-when")?.split(" ") ?? [];
      part.toggleAttribute("hidden", !kinds.includes(kind));
    }
    this.overlay.show(this.i18n.text(why === "ended" ? "signed_out" : why));
  }

  /** Whether the page would ask before it is left: it has something to lose that is in no field. */
  get #asks() {
    const event = this.window.document.createEvent("BeforeUnloadEvent");
    event.initEvent("beforeunload", false, true);
    return !this.window.dispatchEvent(event) || Boolean(event.returnValue);
  }

  /** Complete the address of the sign-in page: it leads back here. */
  #signIn(/** @type {string} */ login) {
    const { location } = this.window;
    const address = new URL(login, location.href);
    const same = address.origin === location.origin;
    address.searchParams.set("next", same ? location.pathname + location.search : location.href);
    return address.href;
  }

  /** Sign in beside the page; where no small window may open, the link under it opens a tab. */
  #open = (/** @type {Event} */ event) => {
    const link = /** @type {Element} */ (event.target).closest(SIGN_INS);
    if (link === null) return;
    // One that is open may hold half a password.
    if (this.#small?.closed !== false) this.#small = this.window.open(this.config.signIn, ...SMALL_WINDOW);
    if (this.#small === null) return;
    event.preventDefault();
    this.#departs = false;
    this.#leaving.clear();
    this.#small.focus();
  };

  #depart() {
    if (!this.#departs) return;
    // A tab in the background waits until it is looked at: the sign-in page says the reason in one tab alone.
    if (this.#unseen) this.window.document.addEventListener("visibilitychange", () => this.#depart(), { once: true });
    else this.#leaving.set(READING);
  }

  #go() {
    if (!this.leaves()) this.window.location.assign(this.#destination);
  }

  /** @param {string} name */
  #piece(name) {
    return /** @type {HTMLElement} */ (this.topLayer.root.querySelector(`[data-idlewatch="${name}"]`));
  }
}
