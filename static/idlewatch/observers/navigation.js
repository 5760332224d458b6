/** Tells a page that goes elsewhere from one that is closed. */

/**
 * Seconds after which a navigation that has not taken the page away was none: its answer was a download or empty, of
 * which no event tells. The next `pagehide` may then be a closed tab.
 */
const LAPSES = 30;

/** Notices that the page has started a navigation by itself; the address bar and the browser's reload don't count. */
export class NavigationObserver {
  #stopping = new AbortController();
  #since = /** @type {Moment | null} */ (null);

  /**
   * @param {object} options
   * @param {Window & {navigation?: EventTarget}} options.window
   * @param {Clock} options.clock
   * @param {() => void} [options.onLeave] It is about to go. Firefox closes its sockets before `pagehide`.
   */
  constructor({ window, clock, onLeave = () => {} }) {
    this.window = window;
    this.onLeave = onLeave;
    this.clock = clock;
  }

  /** Whether the page is on its way elsewhere. */
  get leaving() {
    return this.#since !== null && this.clock.since(this.#since) < LAPSES;
  }

  start() {
    this.#stopping = new AbortController();
    this.#since = null;
    const { signal } = this.#stopping;
    if (this.window.navigation) {
      this.window.navigation.addEventListener("navigate", this.#navigate, { signal });
      // These tell of navigations that scripts took over, or that were called off; one that leaves has neither.
      this.window.navigation.addEventListener("navigatesuccess", this.#stay, { signal });
      this.window.navigation.addEventListener("navigateerror", this.#stay, { signal });
      return;
    }
    this.window.addEventListener("click", this.#click, { signal });
    this.window.addEventListener("submit", this.#submit, { signal });
  }

  stop() {
    this.#stopping.abort();
  }

  #navigate = (/** @type {any} */ event) => {
    const { destination, downloadRequest } = event;
    if (!destination.sameDocument && downloadRequest === null && isPage(destination.url)) this.#leave(event);
  };

  #click = (/** @type {MouseEvent} */ event) => {
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href !== "");
    const modified = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (link instanceof HTMLAnchorElement && !modified && this.#leadsAway(link)) this.#leave(event);
  };

  #submit = (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (stays(form.target) && form.method !== "dialog") this.#leave(event);
  };

  #unload = () => {
    if (this.leaving) this.onLeave();
  };

  #stay = () => {
    this.#since = null;
    this.window.removeEventListener("beforeunload", this.#unload);
  };

  /** @param {HTMLAnchorElement} link */
  #leadsAway(link) {
    if (link.hasAttribute("download") || !stays(link.target) || !isPage(link.href)) return false;
    const here = this.window.location.href.split("#")[0];
    return !(link.href.includes("#") && link.href.split("#")[0] === here);
  }

  /**
   * Believe it when every listener has run: a script may take the navigation over.
   * @param {Event} event
   */
  #leave(event) {
    const now = this.clock.now();
    this.#since = now;
    // Not before: a listener that is always there keeps pages out of Firefox's back/forward cache.
    this.window.addEventListener("beforeunload", this.#unload, { once: true, signal: this.#stopping.signal });
    this.clock.after(0, () => {
      if (event.defaultPrevented && this.#since === now) this.#stay();
    });
  }
}

/** @param {string} address */
function isPage(address) {
  return /^https?:/.test(address);
}

/** @param {string} target */
function stays(target) {
  return ["", "_self", "_top", "_parent"].includes(target.toLowerCase());
}
