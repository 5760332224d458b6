/** Names the private fields of a form that is sent: the server, which may have to keep it, cannot tell them. */

import { Listeners } from "../observers/listeners.js";
import { notePassword, privateNames } from "./fields.js";

/** The field by which they are sent. */
const PRIVATE = "_idlewatch_private";

/** Adds that field to every form that is sent to this site by POST. */
export class PrivateNames {
  #listeners = new Listeners();

  /** @param {Window} window */
  constructor(window) {
    this.window = window;
  }

  start() {
    this.#listeners.listen(this.window, "formdata", this.#add, { capture: true });
  }

  stop() {
    this.#listeners.removeAll();
  }

  /** Remember the fields that hold a password now: a page may show a password as text later. */
  notePasswords() {
    this.window.document.querySelectorAll("input[type=password]").forEach(notePassword);
  }

  #add = (/** @type {FormDataEvent} */ { target, formData }) => {
    const form = /** @type {HTMLFormElement} */ (target);
    const { href, origin } = this.window.location;
    const action = form.getAttribute("action") ?? "";
    if (form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (!URL.canParse(action, href) || new URL(action, href).origin !== origin) return;
    for (const name of new Set(privateNames(form))) formData.append(PRIVATE, name);
  };
}
