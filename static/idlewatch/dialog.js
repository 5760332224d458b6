/** The warning before an idle session ends: a native modal dialog. */

import { Announcer } from "./announcer.js";

/** Asks whether the user is still there. The browser moves the focus in, keeps it in, and gives it back. */
export class WarningDialog {
  #wanted = false;

  /**
   * @param {object} options
   * @param {HTMLDialogElement} options.element
   * @param {Words} options.words
   * @param {() => void} options.onStay
   * @param {() => string} options.csrf The token of the newest sign-in, for logging out.
   */
  constructor({ element, words, onStay, csrf }) {
    this.element = element;
    this.words = words;
    this.onStay = onStay;
    this.csrf = csrf;
    this.announcer = new Announcer((seconds) => {
      this.#set("announcement", this.words.say("left", this.words.spoken(seconds)));
    });
    element.addEventListener("cancel", this.#cancel);
    element.addEventListener("close", this.#closed);
    element.addEventListener("submit", this.#logout);
    this.#part("stay").addEventListener("click", () => this.#stay());
  }

  /** @param {State} state */
  show(state) {
    if (!this.#wanted) this.#begin(state);
    this.#set("countdown", this.words.digits(state.remaining));
    this.#part("offline").hidden = !state.offline;
    this.announcer.tick(state.remaining);
    if (this.element.open || !this.element.isConnected) return;
    this.element.showModal();
    // Not by `autofocus`: browsers look for that attribute when the markup enters the page, too.
    this.#part("stay").focus();
  }

  hide() {
    this.#wanted = false;
    if (this.element.open) this.element.close();
  }

  /** @param {State} state */
  #begin(state) {
    this.#wanted = true;
    this.#set("time", this.words.spoken(state.remaining));
    this.#set("announcement", "");
    this.#part("stay").removeAttribute("aria-disabled");
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
    if (this.#wanted) this.#stay();
  };

  #logout = (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const token = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("csrfmiddlewaretoken"));
    if (token !== null) token.value = this.csrf();
  };

  #stay() {
    this.#part("stay").setAttribute("aria-disabled", "true");
    this.onStay();
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-idlewatch-part="${name}"]`));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #set(name, text) {
    const part = this.#part(name);
    if (part.textContent !== text) part.textContent = text;
  }
}
