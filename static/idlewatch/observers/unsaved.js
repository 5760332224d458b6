/** What the user has typed and not sent. */

/**
 * @typedef {HTMLElement & {type?: string, value?: string, defaultValue?: string, checked?: boolean,
 *   defaultChecked?: boolean, form?: HTMLFormElement | null}} Field
 */

/** Fields that browsers let a user type into. */
const TYPED = ["text", "search", "email", "url", "tel", "number"]
  .map((type) => `input[type=${type}]`)
  .concat("textarea", "input:not([type])")
  .join(", ");

/** Remembers the fields that the user has changed since the page came, until their form is sent or emptied. */
export class UnsavedInput {
  #fields = /** @type {Map<Field, unknown>} */ (new Map());

  /** Whether something would be lost with the page. */
  get any() {
    return [...this.#fields].some(([field, before]) => differs(field, before));
  }

  /**
   * Take in what was typed before the client ran, or put back by the browser after a reload.
   * @param {ParentNode} root
   */
  find(root) {
    for (const field of root.querySelectorAll(TYPED)) {
      if (differs(/** @type {Field} */ (field))) this.#remember(/** @type {Field} */ (field));
    }
  }

  /** @param {Event} event A trusted `input` event. */
  edited(event) {
    const field = /** @type {Field | undefined} */ (event.composedPath()[0]);
    // A text node's events come from its editing host; a frame's document may be one.
    if (field?.nodeType === Node.ELEMENT_NODE) this.#remember(field);
  }

  /** @param {EventTarget | null} form It was sent, or reset. */
  settled(form) {
    for (const field of this.#fields.keys()) {
      if (field.form === form || (form instanceof Element && form.contains(field))) this.#fields.delete(field);
    }
  }

  /**
   * Keep what it held before, which is the default when the first edit comes: React makes each new value the default,
   * but after this listener. A search or a tick that the page has marked as such is nothing to lose.
   * @param {Field} field
   */
  #remember(field) {
    if (!field.closest("[data-idlewatch-ignore]") && !this.#fields.has(field)) this.#fields.set(field, initial(field));
  }
}

/**
 * A field that a script has emptied since, or that has left the page, holds nothing to lose.
 * @param {Field} field
 * @param {unknown} [before]
 */
export function differs(field, before = initial(field)) {
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
