/** Everything that the user sees of the client, put together. */

import { Cover } from "./cover.js";
import { WarningDialog } from "./dialog.js";
import { Notice } from "./notice.js";
import { PHASE } from "./protocol.js";
import { Timer } from "./timer.js";
import { TitleCountdown } from "./title.js";

/** Seconds for reading the reason before the sign-in page comes. */
const READING = 2;
/** Seconds that a lost connection may take to come back before the user is bothered with it. */
const BEAR = 3;

/** @typedef {"offline" | "checking" | "ended" | "unsaved"} CoverKind */

/** Shows a state; the parts' markup comes from the page's template, where the host may replace it. */
export class PageView {
  #offline;
  #leaving;
  #kept = false;
  #destination = "";
  #notices = /** @type {Set<string>} */ (new Set());

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {DocumentFragment} options.markup
   * @param {Words} options.words
   * @param {UnsavedInput} options.unsaved
   * @param {string} options.login Where to sign in, until the server says it.
   * @param {() => void} options.onStay
   * @param {() => string} options.csrf
   * @param {() => boolean} options.leaves Whether the page is on its way elsewhere already.
   */
  constructor({ window, clock, markup, words, unsaved, login, onStay, csrf, leaves }) {
    this.window = window;
    this.words = words;
    this.unsaved = unsaved;
    this.login = login;
    this.leaves = leaves;
    this.markup = markup;
    this.place = /** @type {HTMLElement} */ (markup.querySelector(".idlewatch"));
    const dialog = /** @type {HTMLDialogElement} */ (this.#piece("dialog"));
    this.dialog = new WarningDialog({ element: dialog, words, onStay, csrf });
    this.absolute = new Notice(this.#piece("absolute"), this.place);
    this.badge = new Notice(this.#piece("offline"), this.place);
    this.cover = new Cover({ document: window.document, element: this.#piece("cover"), place: this.place });
    this.title = new TitleCountdown(window.document);
    this.word = this.#piece("notice");
    for (const piece of [this.absolute.element, this.badge.element, this.cover.element, this.word]) piece.remove();
    this.#offline = new Timer(clock, () => this.badge.show());
    this.#leaving = new Timer(clock, () => this.#go());
  }

  /** @param {State} state */
  show(state) {
    this.#settle();
    this.#tellOffline(state.offline && !(state.hidden && state.remaining <= 0));
    const warned = state.phase === PHASE.WARNED && !state.hidden;
    if (warned && state.extendable) this.dialog.show(state);
    else this.dialog.hide();
    if (warned && !state.extendable) this.#warnOfAbsolute(state);
    else this.absolute.hide();
    if (warned && this.#unseen) this.title.show(this.words.say("title", this.words.digits(state.remaining)));
    else this.title.hide();
    if (!state.hidden) this.cover.lift();
    else if (state.remaining > 0) this.cover.veil();
    else this.#hide(state.offline ? "offline" : "checking");
  }

  /** @param {State} state */
  end(state) {
    this.#settle();
    this.#tellOffline(false);
    this.dialog.hide();
    this.absolute.hide();
    this.title.hide();
    this.#destination = this.#signIn(state.login_url ?? this.login);
    this.#part("reason").textContent = this.words.reason(state.reason);
    for (const link of this.cover.element.querySelectorAll("a")) link.href = this.#destination;
    this.#hide("ended");
    if (this.#kept) this.#hide("unsaved");
    else this.cover.drop();
  }

  /** On to the sign-in page, once the user has had the time to read why; what was typed keeps the page here. */
  leave() {
    if (this.#kept) return;
    // A tab in the background waits until it is looked at: the sign-in page says the reason in one tab alone.
    if (this.#unseen) this.window.document.addEventListener("visibilitychange", () => this.leave(), { once: true });
    else this.#leaving.set(READING);
  }

  /** The page has come back from the browser's cache after its end: the server knows what to show in its place. */
  comeBack() {
    if (!this.#kept) this.window.location.reload();
  }

  /**
   * Show a page again that was kept for what was typed in it: its user has signed in again.
   * @param {string} csrf Forms that were rendered before the sign-in have an old token.
   */
  restore(csrf) {
    this.cover.lift();
    this.#kept = false;
    const tokens = this.window.document.querySelectorAll("input[name=csrfmiddlewaretoken]");
    for (const input of tokens) /** @type {HTMLInputElement} */ (input).value = csrf;
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
    this.#settle();
    new Notice(/** @type {HTMLElement} */ (this.word.cloneNode(true)), this.place).show({ text });
  }

  get #unseen() {
    return this.window.document.visibilityState === "hidden";
  }

  /** Be in the page: some frameworks replace the whole body. */
  #settle() {
    const { document } = this.window;
    if (!this.place.isConnected) (document.body ?? document.documentElement).append(this.place);
  }

  /** @param {boolean} offline */
  #tellOffline(offline) {
    if (!offline) {
      this.#offline.clear();
      this.badge.hide();
    } else if (!this.#offline.running && !this.badge.element.isConnected) this.#offline.set(BEAR);
  }

  /** @param {State} state */
  #warnOfAbsolute(state) {
    const link = /** @type {HTMLAnchorElement} */ (this.absolute.element.querySelector("a"));
    link.href = this.#signIn(this.login);
    this.absolute.show({ countdown: this.words.digits(state.remaining) });
  }

  /** @param {CoverKind} kind */
  #hide(kind) {
    const { element } = this.cover;
    for (const part of element.querySelectorAll("[data-idlewatch-when]")) {
      const kinds = part.getAttribute("data-idlewatch-when")?.split(" ") ?? [];
      part.toggleAttribute("hidden", !kinds.includes(kind));
    }
    // Asked while the fields are in the page still; an end that follows must know it.
    if (!element.isConnected) this.#kept = this.unsaved.any;
    this.cover.cover(this.words.say(kind === "offline" || kind === "checking" ? kind : "signed_out"));
  }

  /** Complete the address of the sign-in page: it leads back here. */
  #signIn(/** @type {string} */ login) {
    const { location } = this.window;
    const address = new URL(login, location.href);
    const same = address.origin === location.origin;
    address.searchParams.set("next", same ? location.pathname + location.search : location.href);
    return address.href;
  }

  #go() {
    if (!this.leaves()) this.window.location.assign(this.#destination);
  }

  /** @param {string} name */
  #piece(name) {
    return /** @type {HTMLElement} */ (this.markup.querySelector(`[data-idlewatch="${name}"]`));
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {HTMLElement} */ (this.cover.element.querySelector(`[data-idlewatch-part="${name}"]`));
  }
}
