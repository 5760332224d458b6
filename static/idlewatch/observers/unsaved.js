/** What the user has typed and not sent. */

/**
 * @typedef {HTMLElement & {type?: string, value?: string, defaultValue?: string, checked?: boolean,
 *   defaultChecked?: boolean, form?: HTMLFormElement | null}} Field
 */

/** Fields that users type into. */
const TYPED = ["text", "search", "email", "url", "tel", "number"]
  .map((type) => `input[type=${type}]`)
  .concat("textarea", "input:not([type])")
  .join(", ");

/** Remembers the fields that the user has changed, until their form is sent or reset. */
export class UnsavedInput {
  #fields = /** @type {Map<Field, unknown>} */ (new Map());

  /** Whether something would be lost with the page. */
  get any() {
    return [...this.#fields].some(([field, before]) => isChanged(field, before));
  }

  /**
   * Find what was typed before the client ran, or restored by the browser after a reload.
   * @param {ParentNode} root
   */
  find(root) {
    for (const field of root.querySelectorAll(TYPED)) {
      if (isChanged(/** @type {Field} */ (field))) this.#remember(/** @type {Field} */ (field));
    }
  }

  /** @param {Event} event A trusted `input` event. */
  record(event) {
    const field = /** @type {Field | undefined} */ (event.composedPath()[0]);
    // A text node's events come from its editing host, which may be a frame's document.
    if (field?.nodeType === Node.ELEMENT_NODE) this.#remember(field);
  }

  /**
   * Forget the fields of a form that was sent or reset.
   * @param {EventTarget | null} form
   */
  forget(form) {
    for (const field of this.#fields.keys()) {
      if (field.form === form || (form instanceof Element && form.contains(field))) this.#fields.delete(field);
    }
  }

  /**
   * Remember a field with its value before the first edit, which is its default then: React makes each new value the
   * default, but after this listener. A field that the page has marked, such as a search, is nothing to lose.
   * @param {Field} field
   */
  #remember(field) {
    if (!field.closest("[data-idlewatch-ignore]") && !this.#fields.has(field)) this.#fields.set(field, initial(field));
  }
}

/**
 * Return whether a field holds something else than before. One that has left the page holds nothing.
 * @param {Field} field
 * @param {unknown} [before]
 */
export function isChanged(field, before = initial(field)) {
  if (!field.isConnected) return false;
  return before === undefined || (isToggle(field) ? field.checked : field.value) !== before;
}

/** @param {Field} field */
function initial(field) {
  return isToggle(field) ? field.defaultChecked : field.defaultValue;
}

/**
 * @param {{type?: string}} field
 * @returns {field is HTMLInputElement}
 */
export function isToggle(field) {
  return field.type === "checkbox" || field.type === "radio";
}
