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
  #fields = /** @type {Set<Field>} */ (new Set());

  /** Whether something would be lost with the page. */
  get any() {
    return [...this.#fields].some(differs);
  }

  /**
   * Take in what was typed before the client ran, or put back by the browser after a reload.
   * @param {ParentNode} root
   */
  find(root) {
    for (const field of root.querySelectorAll(TYPED)) {
      if (differs(/** @type {Field} */ (field))) this.#fields.add(/** @type {Field} */ (field));
    }
  }

  /** @param {Event} event A trusted `input` event. */
  edited(event) {
    const field = /** @type {Field | undefined} */ (event.composedPath()[0]);
    // A text node's events come from its editing host; a frame's document may be one.
    if (field?.nodeType === Node.ELEMENT_NODE) this.#fields.add(field);
  }

  /** @param {EventTarget | null} form It was sent, or reset. */
  settled(form) {
    for (const field of this.#fields) {
      if (field.form === form || (form instanceof Element && form.contains(field))) this.#fields.delete(field);
    }
  }
}

/**
 * A field that a script has emptied since, or that has left the page, holds nothing to lose.
 * @param {Field} field
 */
function differs(field) {
  if (!field.isConnected) return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return field.defaultValue === undefined || field.value !== field.defaultValue;
}
