/** The warning before an idle session ends: a native modal dialog. */

import { Announcer } from "./announcer.js";
import { partOf, setPartText } from "./dom.js";
import { countdown } from "./i18n.js";

/** Seconds left from which the countdown stands out. */
const LAST_SECONDS = 10;

/** Asks whether the user is still there. The browser moves the focus in, keeps it in, and returns it. */
export class WarningDialog {
  #wanted = false;

  /**
   * @param {object} options
   * @param {HTMLDialogElement} options.element
   * @param {TopLayer} options.topLayer
   * @param {I18n} options.i18n
   * @param {() => void} options.onStay
   * @param {() => string} options.csrf The CSRF token of the last sign-in, for signing out.
   */
  constructor({ element, topLayer, i18n, onStay, csrf }) {
    this.element = element;
    this.topLayer = topLayer;
    this.i18n = i18n;
    this.onStay = onStay;
    this.csrf = csrf;
    this.announcer = new Announcer((seconds) => {
      setPartText(this.element, "announcement", this.i18n.text("left", { time: this.i18n.duration(seconds) }));
    });
    element.addEventListener("keydown", (event) => event.key === "Escape" && this.#keep(event));
    element.addEventListener("cancel", (event) => event.target === element && this.#keep(event));
    element.addEventListener("close", this.#close);
    element.addEventListener("submit", this.#signOut);
    partOf(element, "stay").addEventListener("click", () => this.#stay());
  }

  /** @param {State} state */
  show(state) {
    if (!this.#wanted) this.#begin(state);
    setPartText(this.element, "countdown", countdown(state.remaining));
    partOf(this.element, "offline").hidden = !state.offline;
    const line = /** @type {HTMLProgressElement} */ (partOf(this.element, "line"));
    line.max = state.warn_before;
    line.value = state.remaining;
    this.element.toggleAttribute("data-idlewatch-last", Math.ceil(state.remaining) <= LAST_SECONDS);
    this.announcer.tick(state.remaining);
    this.topLayer.raise(this.element, partOf(this.element, "stay"));
  }

  hide() {
    this.#wanted = false;
    this.topLayer.lower(this.element);
  }

  /** @param {State} state */
  #begin(state) {
    this.#wanted = true;
    setPartText(this.element, "time", this.i18n.duration(state.remaining));
    setPartText(this.element, "announcement", "");
    partOf(this.element, "stay").removeAttribute("aria-disabled");
    this.announcer.begin(state.remaining);
  }

  /**
   * Stay on Escape, or a gesture that means it. The dialog closes when the server has agreed, not before.
   * @param {Event} event
   */
  #keep(event) {
    event.preventDefault();
    this.#stay();
  }

  /** Stay on a second gesture too, which closes a dialog whatever its page does. */
  #close = () => {
    if (this.#wanted && !this.element.open) this.#stay();
  };

  #signOut = (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const token = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("csrfmiddlewaretoken"));
    if (token !== null) token.value = this.csrf();
  };

  #stay() {
    partOf(this.element, "stay").setAttribute("aria-disabled", "true");
    this.onStay();
  }
}
