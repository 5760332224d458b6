/** What a form holds that may be kept for its user, and how it is put back. */

import { isToggle } from "../observers/unsaved.js";

/** @typedef {[name: string, value: string]} Entry As a form sends it; a name may occur more than once. */
/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} FormField */

const FIELDS = "input, select, textarea";
/** Types of fields that are never kept. */
const NEVER_KEPT = ["password", "hidden", "file", "submit", "button", "reset", "image"];
/** Values of `autocomplete`. */
const SECRET = /(^|\s)(cc-|(current|new)-password|one-time-code)/i;
/** Names of fields; the server knows many more. */
const SECRET_NAME = /passw|passphrase|passcode|secret|token|cvv|cvc|(card|pin|security)[\W_]?code/i;
/** 13 to 19 digits, with signs or spaces between. */
const CARD = /^\d(([^\w:+(]|_)*\d){12,18}$/;

const passwords = /** @type {WeakSet<Element>} */ (new WeakSet());

/**
 * Return whether a field holds a secret, which must not be kept.
 * @param {Element & {type?: string}} field
 */
function isPrivate(field) {
  if (field.type === "password") notePassword(field);
  const marked = SECRET.test(field.getAttribute("autocomplete") ?? "") || field.closest("[data-idlewatch-private]") !== null;
  return marked || passwords.has(field);
}

/**
 * Remember the field of a password: a page may show the password for a while, as text.
 * @param {Element} field
 */
export function notePassword(field) {
  passwords.add(field);
}

/**
 * Return whether a value looks like the number of a payment card, which passes Luhn's test.
 * @param {string} value
 */
export function looksLikeACard(value) {
  if (!CARD.test(value.trim())) return false;
  const digits = [...value.replace(/\D/g, "")].reverse().map(Number);
  const sum = digits.reduce((total, digit, place) => total + (place % 2 ? digit * 2 - (digit > 4 ? 9 : 0) : digit), 0);
  return sum % 10 === 0;
}

/**
 * Return the names of the private fields.
 * @param {HTMLFormElement} form
 */
export function privateNames(form) {
  return all(form).filter(isPrivate).map((field) => field.name);
}

/**
 * Return the fields that may be kept.
 * @param {HTMLFormElement} form
 */
export function fieldsOf(form) {
  return all(form).filter((field) => !NEVER_KEPT.includes(field.type) && !field.matches(":disabled") && !isPrivate(field));
}

/**
 * Return what may be kept.
 * @param {HTMLFormElement} form
 * @returns {Entry[]}
 */
export function read(form) {
  return fieldsOf(form)
    .flatMap((field) => valuesOf(field).map((value) => /** @type {Entry} */ ([field.name, value])))
    .filter(([name, value]) => !SECRET_NAME.test(name) && !looksLikeACard(value));
}

/**
 * Put entries back, with the events that frameworks listen for.
 * @param {HTMLFormElement} form
 * @param {Entry[]} entries
 * @param {(name: string) => boolean} [skip] Fields to leave as they are.
 * @returns {FormField[]} Those that changed.
 */
export function fill(form, entries, skip = () => false) {
  const fields = fieldsOf(form).filter((field) => !skip(field.name));
  return fields.filter((field) => {
    const values = entries.filter(([name]) => name === field.name).map(([, value]) => value);
    if (isToggle(field)) return tick(field, values.includes(field.value));
    if ("options" in field) return choose(field, values);
    const same = fields.filter((other) => other.name === field.name && !isToggle(other));
    // If one of several fields of a name was not kept, the values cannot be assigned.
    return same.length === values.length && write(field, values[same.indexOf(field)] ?? "");
  });
}

/**
 * Find the form that was sent: the one to that address with the most names in common.
 * @param {Iterable<HTMLFormElement>} forms
 * @param {{action: string, fields: Entry[]}} sent
 * @param {string} base The page's address.
 * @returns {HTMLFormElement | null}
 */
export function bestMatch(forms, { action, fields }, base) {
  /** @param {HTMLFormElement} form */
  const shared = (form) => fields.filter(([name]) => all(form).some((field) => field.name === name)).length;
  const candidates = [...forms].filter((form) => shared(form) > 0 && targets(form, base).includes(pathOf(action, base)));
  return candidates.sort((one, other) => shared(other) - shared(one))[0] ?? null;
}

/**
 * @param {HTMLFormElement} form
 * @returns {FormField[]}
 */
function all(form) {
  const fields = [...form.elements].filter((element) => element.matches(FIELDS));
  return /** @type {FormField[]} */ (fields).filter(({ name }) => name !== "");
}

/**
 * @param {FormField} field
 * @returns {string[]}
 */
function valuesOf(field) {
  if ("options" in field) return [...field.selectedOptions].map((option) => option.value);
  return isToggle(field) && !field.checked ? [] : [field.value];
}

/**
 * @param {HTMLInputElement} field
 * @param {boolean} on
 */
function tick(field, on) {
  if (field.checked === on || (!on && field.type === "radio")) return false;
  // Frameworks listen for a click on these.
  field.click();
  return true;
}

/**
 * @param {HTMLSelectElement} field
 * @param {string[]} values
 */
function choose(field, values) {
  const wrong = [...field.options].filter((option) => option.selected !== values.includes(option.value));
  if (wrong.length === 0 || (values.length === 0 && !field.multiple)) return false;
  for (const option of wrong) option.selected = !option.selected;
  return dispatchChange(field);
}

/**
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {string} value
 */
function write(field, value) {
  if (field.value === value || field.readOnly) return false;
  // By the browser's own setter: React puts its own before it, and ignores a change made through that.
  Reflect.set(Object.getPrototypeOf(field), "value", value, field);
  return dispatchChange(field);
}

/** @param {Element} field */
function dispatchChange(field) {
  for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  return true;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} base
 */
function targets(form, base) {
  return [form, ...form.querySelectorAll("[formaction], [hx-post]")].map((element) => {
    const [address] = ["formaction", "hx-post", "action"].map((name) => element.getAttribute(name)).filter(Boolean);
    return pathOf(address ?? "", base);
  });
}

/**
 * @param {string} address
 * @param {string} base
 */
function pathOf(address, base) {
  return URL.canParse(address, base) ? new URL(address, base).pathname : "";
}
