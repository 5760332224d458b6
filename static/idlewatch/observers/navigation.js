/** Whether the page navigates, or its tab is being closed. */

import { Listeners } from "./listeners.js";

/**
 * Seconds after which a navigation that has not replaced the page is taken for a download or an empty response, for which
 * there is no event. The next `pagehide` may then be that of a closed tab.
 */
const NAVIGATION_LIMIT = 30;

/** Observes navigations that the page starts. Those by the address bar and the reload button go unnoticed. */
export class NavigationObserver {
  #listeners = new Listeners();
  #startedAt = /** @type {Moment | null} */ (null);

  /**
   * @param {object} options
   * @param {Window & {navigation?: EventTarget}} options.window
   * @param {Clock} options.clock
   * @param {() => void} [options.onLeave] The page is about to go: called in Firefox, which closes sockets before `pagehide`.
   */
  constructor({ window, clock, onLeave = () => {} }) {
    this.window = window;
    this.onLeave = onLeave;
    this.clock = clock;
  }

  /** Whether the page navigates. */
  get leaving() {
    return this.#startedAt !== null && this.clock.since(this.#startedAt) < NAVIGATION_LIMIT;
  }

  start() {
    this.#startedAt = null;
    const { navigation } = this.window;
    if (navigation) {
      this.#listeners.listen(navigation, "navigate", this.#navigate);
      // Only a navigation that a script took over or called off has one of these.
      this.#listeners.listen(navigation, "navigatesuccess navigateerror", this.#stay);
      return;
    }
    this.#listeners.listen(this.window, "click", this.#click);
    this.#listeners.listen(this.window, "submit", this.#submit);
  }

  stop() {
    this.#listeners.removeAll();
  }

  #navigate = (/** @type {any} */ event) => {
    const { destination, downloadRequest } = event;
    if (!destination.sameDocument && downloadRequest === null && isPage(destination.url)) this.#leave(event);
  };

  #click = (/** @type {MouseEvent} */ event) => {
    const found = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href !== "");
    const link = /** @type {HTMLAnchorElement | undefined} */ (found);
    const modified = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (link && !modified && this.#leadsAway(link)) this.#leave(event);
  };

  #submit = (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (isThisTab(form.target) && form.method !== "dialog") this.#leave(event);
  };

  #unload = () => {
    // Others keep theirs until `pagehide`, when a form that was sent no longer holds the session.
    if (this.leaving && "mozInnerScreenX" in this.window) this.onLeave();
  };

  #stay = () => {
    this.#startedAt = null;
    this.window.removeEventListener("beforeunload", this.#unload);
  };

  /** @param {HTMLAnchorElement} link */
  #leadsAway(link) {
    if (link.hasAttribute("download") || !isThisTab(link.target) || !isPage(link.href)) return false;
    const [page, fragment] = link.href.split("#");
    return fragment === undefined || page !== this.window.location.href.split("#")[0];
  }

  /** @param {Event} event */
  #leave(event) {
    const now = this.clock.now();
    this.#startedAt = now;
    // Not earlier: a permanent listener keeps pages out of Firefox's back/forward cache.
    this.#listeners.listen(this.window, "beforeunload", this.#unload, { once: true });
    // A later listener may still take the navigation over.
    this.clock.after(0, () => {
      if (event.defaultPrevented && this.#startedAt === now) this.#stay();
    });
  }
}

/** @param {string} address */
function isPage(address) {
  return /^https?:/.test(address);
}

/**
 * Return whether what a link or form leads to replaces the page.
 * @param {string} target
 */
export function isThisTab(target) {
  return ["", "_self", "_top", "_parent"].includes(target.toLowerCase());
}
