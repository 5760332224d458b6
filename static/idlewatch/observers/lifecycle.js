/** The page's life cycle. */

import { CLOSE } from "../core/protocol.js";

/**
 * @typedef {object} LifecycleDelegate
 * @property {() => void} onWake The page is visible or thawed, or the network has changed: the state may be out of date.
 * @property {() => void} onHide The page is hidden: its timers are about to be slowed down.
 * @property {(code: number) => void} onLeave The page goes away; the socket is to be closed with `code`.
 * @property {() => void} onReturn The page is shown again from the back/forward cache.
 */

/** Observes how the page comes and goes. */
export class LifecycleObserver {
  #stopping = new AbortController();

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {NavigationObserver} options.navigation
   * @param {LifecycleDelegate} options.delegate
   */
  constructor({ window, navigation, delegate }) {
    this.window = window;
    this.navigation = navigation;
    this.delegate = delegate;
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    const { document } = this.window;
    this.window.addEventListener("pageshow", this.#show, options);
    this.window.addEventListener("pagehide", this.#leave, options);
    // `offline` proves nothing, but is a reason to check: the server may be on this machine.
    for (const type of ["online", "offline"]) this.window.addEventListener(type, this.delegate.onWake, options);
    document.addEventListener("resume", this.delegate.onWake, options);
    document.addEventListener("visibilitychange", this.#changeVisibility, options);
  }

  stop() {
    this.#stopping.abort();
  }

  #show = (/** @type {PageTransitionEvent} */ event) => {
    if (event.persisted) this.delegate.onReturn();
  };

  #leave = () => {
    this.delegate.onLeave(this.navigation.leaving ? CLOSE.NAVIGATED : CLOSE.CLOSED);
  };

  #changeVisibility = () => {
    if (this.window.document.visibilityState === "visible") this.delegate.onWake();
    else this.delegate.onHide();
  };
}
