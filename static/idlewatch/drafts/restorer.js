/** Puts back what the server has kept: a draft at once, a refused form if the user wants it. */

import { isChanged } from "../observers/unsaved.js";
import { bestMatch, fieldsOf, fill } from "./fields.js";

/**
 * @typedef {object} RestorerDelegate
 * @property {(form: HTMLFormElement) => string | undefined} nameOf
 * @property {(form: HTMLFormElement) => void} onRestored The form holds the draft and nothing else.
 * @property {(form: HTMLFormElement) => void} onChanged The form holds what was refused.
 * @property {(form: HTMLFormElement) => void} onDiscarded The user does not want what was refused.
 */

/** Fills each form once. */
export class Restorer {
  #kept = /** @type {Kept[]} */ ([]);
  #restored = /** @type {WeakSet<HTMLFormElement>} */ (new WeakSet());
  #refused = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  #touched = /** @type {WeakSet<EventTarget>} */ (new WeakSet());

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {UnsavedInput} options.unsaved
   * @param {I18n} options.i18n
   * @param {(text: string, choices: Record<string, () => void>) => void} options.offer
   * @param {RestorerDelegate} options.delegate
   */
  constructor({ window, unsaved, i18n, offer, delegate }) {
    this.window = window;
    this.unsaved = unsaved;
    this.i18n = i18n;
    this.offer = offer;
    this.delegate = delegate;
  }

  /** @param {EventTarget} field One that the user has changed: it stays as it is. */
  touch(field) {
    this.#touched.add(field);
  }

  /** @param {Kept[]} kept What the server has kept. */
  load(kept) {
    this.#kept = kept;
  }

  /**
   * Add a draft that is newer than all others: the page may make its form again before it is sent.
   * @param {string} form
   * @param {Entry[]} fields
   */
  add(form, fields) {
    this.#kept.unshift({ kind: "draft", form, fields, action: "", saved: 0 });
  }

  /**
   * Forget what is kept of a form.
   * @param {HTMLFormElement} form
   * @returns {string[]} The names of what was kept.
   */
  forget(form) {
    const names = [this.delegate.nameOf(form), this.#refused.get(form)].filter((name) => name !== undefined);
    this.#refused.delete(form);
    this.#kept = this.#kept.filter((kept) => !names.includes(kept.form));
    return names;
  }

  /**
   * Fill the forms that were not filled before, and tell the user.
   * @param {HTMLFormElement[]} forms
   */
  restore(forms) {
    if (this.#kept.length === 0) return;
    for (const kept of this.#kept.filter(({ kind }) => kind === "refused")) this.#offerRefused(kept);
    const changed = forms.filter((form) => !this.#restored.has(form) && this.#restoreDraft(form));
    if (changed.length === 0) return;
    this.offer(this.i18n.text("restored"), {
      [this.i18n.text("discard")]: () => {
        // A field may be called "reset"; quoted, for the build shortens the name where it is the client's own.
        for (const form of changed) HTMLFormElement.prototype["reset"].call(form);
      },
    });
  }

  /**
   * @param {HTMLFormElement} form
   * @returns {boolean} Whether its content has changed.
   */
  #restoreDraft(form) {
    this.#restored.add(form);
    const name = this.delegate.nameOf(form);
    const draft = this.#kept.find((kept) => kept.kind === "draft" && kept.form === name);
    // What was sent is newer than the draft.
    if (draft === undefined || this.#refused.has(form)) return false;
    const own = fieldsOf(form).filter((field) => this.#touched.has(field) || ("defaultValue" in field && isChanged(field)));
    const changed = fill(form, draft.fields, (name) => own.some((field) => field.name === name));
    if (own.length === 0) this.delegate.onRestored(form);
    this.unsaved.find(form);
    return changed.length > 0;
  }

  /** @param {Kept} kept */
  #offerRefused(kept) {
    const { document, location } = this.window;
    const form = bestMatch(document.forms, kept, location.href);
    if (form === null || this.#refused.has(form)) return;
    this.#refused.set(form, kept.form);
    this.offer(this.i18n.text("not_sent"), {
      [this.i18n.text("put_back")]: () => {
        const [first] = fill(form, kept.fields);
        first?.focus();
        this.unsaved.find(form);
        this.delegate.onChanged(form);
      },
      [this.i18n.text("discard")]: () => this.delegate.onDiscarded(form),
    });
  }
}
