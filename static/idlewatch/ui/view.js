/** Everything that the user sees of the client, put together. */

import { PHASE, REASON } from "../core/protocol.js";
import { replaceTokens } from "./csrf.js";
import { Departure } from "./departure.js";
import { WarningDialog } from "./dialog.js";
import { setPartText } from "./dom.js";
import { countdown } from "./i18n.js";
import { LimitNotice } from "./limit_notice.js";
import { Notice } from "./notice.js";
import { OfflineBadge } from "./offline_badge.js";
import { Overlay } from "./overlay.js";
import { SignInWindow } from "./sign_in_window.js";
import { TabTitle } from "./title.js";
import { TopLayer } from "./top_layer.js";

/** Links that leave the page: all but the one that opens a tab if no small window may be opened. */
const LEAVING = "a:not([data-idlewatch-part=sign-in])";

/**
 * @typedef {object} ViewConfig
 * @property {string} language Of the sentences, which is not always the page's.
 * @property {string} direction
 * @property {string} login Where to sign in.
 * @property {string} signIn Where to sign in again without losing the page.
 * @property {string} reauthenticate Where to do so before the session ends.
 * @property {string} home The start page.
 * @property {string} csrf The CSRF token of the last sign-in.
 * @property {string} csrfHeader The name of the header in which scripts send it.
 */

/** Shows a state. The markup comes from the page's template, which a project may override. */
export class PageView {
  #kept = false;
  #destination = "";
  #notices = /** @type {Set<string>} */ (new Set());

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {DocumentFragment} options.markup
   * @param {I18n} options.i18n
   * @param {UnsavedInput} options.unsaved
   * @param {ViewConfig} options.config
   * @param {() => void} options.onStay
   * @param {() => boolean} options.isLeaving Whether the page navigates already.
   */
  constructor({ clock, markup, i18n, unsaved, config, onStay, isLeaving }) {
    const topLayer = new TopLayer({ markup, language: config.language, direction: config.direction });
    this.i18n = i18n;
    this.unsaved = unsaved;
    this.config = config;
    this.topLayer = topLayer;
    this.title = new TabTitle(document);
    const dialog = /** @type {HTMLDialogElement} */ (this.#piece("dialog"));
    this.dialog = new WarningDialog({ element: dialog, topLayer, i18n, onStay, csrf: () => config.csrf });
    const overlay = /** @type {HTMLDialogElement} */ (this.#piece("overlay"));
    this.overlay = new Overlay({ topLayer, title: this.title, element: overlay });
    this.limit = new LimitNotice(this.#piece("absolute"), topLayer, i18n);
    this.offline = new OfflineBadge(this.#piece("offline"), topLayer, clock);
    this.noticeTemplate = this.#piece("notice");
    this.noticeTemplate.remove();
    this.departure = new Departure({ window, clock, isLeaving });
    const signIn = new SignInWindow(() => this.departure.cancel());
    signIn.openFrom(overlay, config.signIn);
    signIn.openFrom(this.limit.element, config.reauthenticate);
  }

  /**
   * @param {State} state
   * @param {boolean} [received] Whether the server has just sent it.
   */
  show(state, received) {
    if (received) this.departure.confirm();
    this.topLayer.settle();
    const warned = state.phase === PHASE.WARNED && !state.hidden;
    const asks = warned && state.extendable;
    this.offline.show(state.offline && !asks && !(state.hidden && state.remaining <= 0));
    if (asks) this.dialog.show(state);
    else this.dialog.hide();
    if (warned && !asks) this.limit.show(state.remaining);
    else this.limit.hide();
    if (warned && document.visibilityState === "hidden") {
      this.title.show(this.i18n.text("title", { time: countdown(state.remaining) }));
    } else this.title.hide();
    if (!state.hidden) this.overlay.hide();
    else if (state.remaining > 0) this.overlay.dim();
    else this.#hideContent(state.offline ? "offline" : "checking");
  }

  /** @param {State} state */
  end(state) {
    this.#clear();
    this.#destination = this.#signInAddress();
    const { element } = this.overlay;
    setPartText(element, "reason", this.i18n.reason(state.reason));
    const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (element.querySelectorAll(LEAVING));
    for (const link of links) link.href = this.#destination;
    this.#hideContent("ended");
  }

  /** Go to the sign-in page, unless there is unsaved input. */
  leave() {
    if (!this.#kept) this.departure.begin(this.#destination);
  }

  /** Reload a page that is back from the back/forward cache after its end. */
  returnFromCache() {
    if (!this.#kept) location.reload();
  }

  /** Show the content again, as it was: its user has signed in again. */
  restore() {
    this.departure.cancel();
    this.overlay.hide();
    this.#kept = false;
  }

  /** Remove the content for good, and go to the start page: another user has signed in. */
  drop() {
    const home = this.departure.attempt(this.config.home);
    if (home === null) {
      this.end(/** @type {State} */ ({ reason: REASON.LOGOUT }));
      return;
    }
    this.#clear();
    this.departure.cancel();
    this.#hideContent("checking");
    this.overlay.discard();
    // Nothing of the page is left then, nor any listener that would ask before the page is left.
    document.open();
    location.replace(home);
  }

  /**
   * Give forms the CSRF token of a new sign-in.
   * @param {string} csrf
   */
  replaceTokens(csrf) {
    replaceTokens(this.overlay.elements, csrf, this.config.csrfHeader);
  }

  /**
   * Show an operator's message, once.
   * @param {string} text
   * @param {string} id
   */
  notice(text, id) {
    if (this.#notices.has(id)) return;
    this.#notices.add(id);
    new Notice(/** @type {HTMLElement} */ (this.noticeTemplate.cloneNode(true)), this.topLayer).show({ text });
  }

  /** Remove all but the overlay. */
  #clear() {
    this.offline.hide();
    this.dialog.hide();
    this.limit.hide();
    this.title.hide();
  }

  /** @param {"offline" | "checking" | "ended"} why */
  #hideContent(why) {
    // Checked while the fields are in the document; an end that follows needs the result.
    if (!this.overlay.shown) this.#kept = this.unsaved.any || this.#asksBeforeUnload();
    const kind = why === "ended" && this.#kept ? "unsaved" : why;
    for (const part of this.overlay.element.querySelectorAll("[data-idlewatch-when]")) {
      const kinds = part.getAttribute("data-idlewatch-when")?.split(" ") ?? [];
      part.toggleAttribute("hidden", !kinds.includes(kind));
    }
    this.overlay.show(this.i18n.text(why === "ended" ? "signed_out" : why));
  }

  /** Return whether the page would ask before it is left: it has something to lose that is in no field. */
  #asksBeforeUnload() {
    const event = document.createEvent("BeforeUnloadEvent");
    event.initEvent("beforeunload", false, true);
    return !window.dispatchEvent(event) || Boolean(event.returnValue);
  }

  /** Return the address of the sign-in page, which leads back to this one. */
  #signInAddress() {
    const address = new URL(this.config.login, location.href);
    const sameOrigin = address.origin === location.origin;
    address.searchParams.set("next", sameOrigin ? location.href.slice(location.origin.length) : location.href);
    return address.href;
  }

  /** @param {string} name */
  #piece(name) {
    return /** @type {HTMLElement} */ (this.topLayer.root.querySelector(`[data-idlewatch="${name}"]`));
  }
}
