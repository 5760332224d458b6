/** The page's life cycle. */

import { CLOSE } from "../core/protocol.js";
import { Listeners } from "./listeners.js";

/**
 * @typedef {object} LifecycleDelegate
 * @property {() => void} onWake The page is visible or thawed, or the network has changed: the state may be out of date.
 * @property {() => void} onHide The page is hidden: its timers are about to be slowed down.
 * @property {(code: number) => void} onLeave The page goes away; the socket is to be closed with `code`.
 * @property {() => void} onReturn The page is shown again from the back/forward cache.
 */

/** Observes how the page comes and goes. */
export class LifecycleObserver {
  #listeners = new Listeners();

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
    const { document } = this.window;
    this.#listeners.listen(this.window, "pageshow", this.#show);
    this.#listeners.listen(this.window, "pagehide", this.#leave);
    // `offline` proves nothing, but is a reason to check: the server may be on this machine.
    this.#listeners.listen(this.window, "online offline", this.delegate.onWake);
    this.#listeners.listen(document, "resume", this.delegate.onWake);
    this.#listeners.listen(document, "visibilitychange", this.#changeVisibility);
  }

  stop() {
    this.#listeners.removeAll();
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
