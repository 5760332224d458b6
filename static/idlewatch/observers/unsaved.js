/** What the user has typed and not sent. */

/**
 * @typedef {HTMLElement & {type?: string, value?: string, defaultValue?: string, checked?: boolean,
 *   defaultChecked?: boolean, name?: string, form?: HTMLFormElement | null, multiple?: boolean,
 *   options?: HTMLOptionsCollection}} Field
 */

/** All but passwords, and CSRF tokens: a script that renews one fills in nothing for the user. */
const FIELDS = "input:not([type=password], [name=csrfmiddlewaretoken]), select, textarea";
/** Types of fields that users type into. */
const TYPED = /^(text|search|email|url|tel|number)/;
/** Events before which a script has filled nothing for the user. */
const ACTS = /down|start|click/;

/** Compares what fields hold with what they held before the user acted, until their form is sent or reset. */
export class UnsavedInput {
  #before = /** @type {WeakMap<Field, unknown>} */ (new WeakMap());
  /** Those with an event of their own: the document does not find all of them. */
  #edited = /** @type {Set<Field>} */ (new Set());

  /** @param {ParentNode} document */
  constructor(document) {
    this.document = document;
  }

  /** Whether something would be lost with the page. */
  get any() {
    return this.#fields.some((field) => this.#before.has(field) && isChanged(field, this.#before.get(field)));
  }

  /**
   * Find what was typed before the client ran, or restored by the browser after a reload.
   * @param {ParentNode} root
   */
  find(root) {
    for (const field of /** @type {NodeListOf<Field>} */ (root.querySelectorAll(FIELDS))) {
      // One without a name is a script's own, such as the year in a date picker's calendar.
      if (field.name && TYPED.test(field.type ?? "") && isChanged(field)) this.#remember(field);
    }
  }

  /** @param {Event} event A trusted one of the user. */
  record(event) {
    if (ACTS.test(event.type)) for (const field of this.#fields) this.#remember(field, held(field));
    // An editor may write by itself what was typed, and prevent the `input` that would follow.
    if (!event.type.endsWith("input")) return;
    const field = /** @type {Field | undefined} */ (event.composedPath()[0]);
    // A text node's events come from its editing host, which may be a frame's document.
    if (field?.nodeType !== Node.ELEMENT_NODE) return;
    this.#remember(field);
    this.#edited.add(field);
  }

  /**
   * Forget the fields of a form that was sent or reset: what they hold now is compared with from the next act on.
   * @param {EventTarget | null} form
   */
  forget(form) {
    for (const field of this.#fields) {
      if (field.form !== form && !(form instanceof Element && form.contains(field))) continue;
      this.#before.delete(field);
      this.#edited.delete(field);
    }
  }

  get #fields() {
    return /** @type {Field[]} */ ([...this.document.querySelectorAll(FIELDS), ...this.#edited]);
  }

  /**
   * Remember what a field held before the first edit: its default if no act came before. React makes each new value the
   * default, but after this listener. A field that the page has marked, such as a search, is nothing to lose.
   * @param {Field} field
   * @param {unknown} [before]
   */
  #remember(field, before = initial(field)) {
    if (!field.closest("[data-idlewatch-ignore]") && !this.#before.has(field)) this.#before.set(field, before);
  }
}

/**
 * Return whether a field holds something else than before. One that has left the page holds nothing.
 * @param {Field} field
 * @param {unknown} [before]
 */
export function isChanged(field, before = initial(field)) {
  if (!field.isConnected) return false;
  return before === undefined || held(field) !== before;
}

/** @param {Field} field */
function held(field) {
  if (isToggle(field)) return field.checked;
  // What is chosen may be moved from one list to another.
  return field.multiple && field.options
    ? [...field.options].map(({ value, selected }) => value + selected).join()
    : field.value;
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
