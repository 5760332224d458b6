/** The field for the text of a notice, which has a limited length. */

import { setPartText } from "../ui/dom.js";

/** Counts the characters, and shows what is wrong with the text. */
export class NoticeField {
  #stopping = new AbortController();

  /**
   * @param {HTMLElement} dialog
   * @param {LiveI18n} i18n
   */
  constructor(dialog, i18n) {
    this.dialog = dialog;
    this.i18n = i18n;
    this.area = /** @type {HTMLTextAreaElement} */ (dialog.querySelector("textarea"));
  }

  start() {
    this.#stopping = new AbortController();
    this.area.addEventListener("input", () => this.reset(), { signal: this.#stopping.signal });
  }

  stop() {
    this.#stopping.abort();
  }

  /** The text as it is sent: without the space around it. */
  get text() {
    return this.area.value.trim();
  }

  /** Show the length, and no complaint. */
  reset() {
    setPartText(this.dialog, "length", this.#length(this.text));
    this.#complain("");
  }

  clear() {
    this.area.value = "";
  }

  focus() {
    this.area.focus();
  }

  /**
   * Check the text, and show what is wrong with it.
   * @returns {boolean}
   */
  check() {
    const complaint = this.#complaint(this.text);
    if (complaint === "") return true;
    this.#complain(complaint);
    this.focus();
    return false;
  }

  /** @param {string} text */
  #complaint(text) {
    if (text === "") return this.i18n.text("blank");
    return lengthOf(text) > this.#limit ? this.#length(text) : "";
  }

  /** @param {string} text */
  #length(text) {
    return this.i18n.text("characters", { count: lengthOf(text), limit: this.#limit });
  }

  get #limit() {
    return Number(this.area.dataset.limit);
  }

  /** @param {string} sentence */
  #complain(sentence) {
    setPartText(this.dialog, "wrong", sentence);
    this.area.setAttribute("aria-invalid", String(sentence !== ""));
  }
}

/**
 * Count characters as the server does: an emoji is one.
 * @param {string} text
 */
function lengthOf(text) {
  return [...text].length;
}
