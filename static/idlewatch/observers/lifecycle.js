/** The page's own comings and goings, as the browser tells them. */

import { CLOSE } from "../core/protocol.js";

/**
 * @typedef {object} LifecycleDelegate
 * @property {() => void} onWake Visible, thawed, or the network changed: what was believed may be old.
 * @property {() => void} onDoze Hidden: timers are about to be slowed down.
 * @property {(code: number) => void} onPart It goes away; `code` says how to close the socket.
 * @property {() => void} onComeBack It is shown again out of the back/forward cache.
 */

/** Listens to the page's life cycle. */
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
    this.window.addEventListener("pagehide", this.#hide, options);
    // An `offline` is a reason to look, no proof: the server may be on this very machine.
    for (const type of ["online", "offline"]) this.window.addEventListener(type, this.delegate.onWake, options);
    document.addEventListener("resume", this.delegate.onWake, options);
    document.addEventListener("visibilitychange", this.#see, options);
  }

  stop() {
    this.#stopping.abort();
  }

  #show = (/** @type {PageTransitionEvent} */ event) => {
    if (event.persisted) this.delegate.onComeBack();
  };

  #hide = () => {
    this.delegate.onPart(this.navigation.leaving ? CLOSE.NAVIGATED : CLOSE.CLOSED);
  };

  #see = () => {
    if (this.window.document.visibilityState === "visible") this.delegate.onWake();
    else this.delegate.onDoze();
  };
}
