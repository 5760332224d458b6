/** The warning before an idle session ends: a native modal dialog. */

import { Announcer } from "./announcer.js";
import { partOf, write } from "./parts.js";

/** Seconds left from which on the countdown stands out. */
const LAST = 10;

/** Asks whether the user is still there. The browser moves the focus in, keeps it in, and gives it back. */
export class WarningDialog {
  #wanted = false;

  /**
   * @param {object} options
   * @param {HTMLDialogElement} options.element
   * @param {Stage} options.stage
   * @param {Words} options.words
   * @param {() => void} options.onStay
   * @param {() => string} options.csrf The token of the newest sign-in, for logging out.
   */
  constructor({ element, stage, words, onStay, csrf }) {
    this.element = element;
    this.stage = stage;
    this.words = words;
    this.onStay = onStay;
    this.csrf = csrf;
    this.announcer = new Announcer((seconds) => {
      write(this.element, "announcement", this.words.say("left", this.words.spoken(seconds)));
    });
    element.addEventListener("cancel", this.#cancel);
    element.addEventListener("close", this.#closed);
    element.addEventListener("submit", this.#logout);
    partOf(this.element, "stay").addEventListener("click", () => this.#stay());
  }

  /** @param {State} state */
  show(state) {
    if (!this.#wanted) this.#begin(state);
    write(this.element, "countdown", this.words.digits(state.remaining));
    partOf(this.element, "offline").hidden = !state.offline;
    const line = /** @type {HTMLProgressElement} */ (partOf(this.element, "line"));
    line.max = state.warn_before;
    line.value = state.remaining;
    this.element.toggleAttribute("data-idlewatch-last", Math.ceil(state.remaining) <= LAST);
    this.announcer.tick(state.remaining);
    this.stage.raise(this.element, partOf(this.element, "stay"));
  }

  hide() {
    this.#wanted = false;
    this.stage.lower(this.element);
  }

  /** @param {State} state */
  #begin(state) {
    this.#wanted = true;
    write(this.element, "time", this.words.spoken(state.remaining));
    write(this.element, "announcement", "");
    partOf(this.element, "stay").removeAttribute("aria-disabled");
    this.announcer.start(state.remaining);
  }

  /** Escape means stay. The dialog goes when the server has agreed, not before. */
  #cancel = (/** @type {Event} */ event) => {
    if (event.target !== this.element) return;
    event.preventDefault();
    this.#stay();
  };

  /** A second Escape closes a dialog whatever its page says; that means stay just the same. */
  #closed = () => {
    if (this.#wanted && !this.element.open) this.#stay();
  };

  #logout = (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const token = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("csrfmiddlewaretoken"));
    if (token !== null) token.value = this.csrf();
  };

  #stay() {
    partOf(this.element, "stay").setAttribute("aria-disabled", "true");
    this.onStay();
  }
}
