/** What a form holds that may be kept for its user, and how that is put back. */

import { isToggle } from "../observers/unsaved.js";

/** @typedef {[name: string, value: string]} Entry As a form sends it; a name may come more than once. */
/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} FormField */

const FIELDS = "input, select, textarea";
/** There is nothing to keep in these, or nothing that may be. */
const NEVER = ["password", "hidden", "file", "submit", "button", "reset", "image"];
const SECRET = /(^|\s)(cc-|(current|new)-password|one-time-code)/i;
/** The server knows many more. */
const NAMED = /passw|passphrase|passcode|secret|token|cvv|cvc|(card|pin|security)[\W_]?code/i;
const CARD = /^\d(([^\w:+(]|_)*\d){12,18}$/;

const passwords = /** @type {WeakSet<Element>} */ (new WeakSet());

/**
 * Whether a field is nobody's business but the form's own.
 * @param {Element & {type?: string}} field
 */
export function isPrivate(field) {
  if (field.type === "password") notePassword(field);
  const marked = SECRET.test(field.getAttribute("autocomplete") ?? "") || field.closest("[data-idlewatch-private]") !== null;
  return marked || passwords.has(field);
}

/**
 * Remember a password's field: a page may show the password for a while, and it is a text then.
 * @param {Element} field
 */
export function notePassword(field) {
  passwords.add(field);
}

/**
 * Whether a value is a card's number: 13 to 19 digits, signs or spaces between, that pass Luhn's test.
 * @param {string} value
 */
export function looksLikeACard(value) {
  if (!CARD.test(value.trim())) return false;
  const digits = [...value.replace(/\D/g, "")].reverse().map(Number);
  const sum = digits.reduce((total, digit, place) => total + (place % 2 ? digit * 2 - (digit > 4 ? 9 : 0) : digit), 0);
  return sum % 10 === 0;
}

/**
 * @param {HTMLFormElement} form
 * @returns {string[]} The names of what is private in it.
 */
export function privateNames(form) {
  return all(form).filter(isPrivate).map((field) => field.name);
}

/**
 * @param {HTMLFormElement} form
 * @returns {FormField[]} What may be kept.
 */
export function fieldsOf(form) {
  return all(form).filter((field) => !NEVER.includes(field.type) && !field.matches(":disabled") && !isPrivate(field));
}

/**
 * Read what may be kept.
 * @param {HTMLFormElement} form
 * @returns {Entry[]}
 */
export function read(form) {
  return fieldsOf(form)
    .flatMap((field) => valuesOf(field).map((value) => /** @type {Entry} */ ([field.name, value])))
    .filter(([name, value]) => !NAMED.test(name) && !looksLikeACard(value));
}

/**
 * Put back what was kept, in a way that frameworks hear of.
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
    // Where one of several was not kept, nobody can tell which.
    return same.length === values.length && write(field, values[same.indexOf(field)] ?? "");
  });
}

/**
 * Find the form that was sent: to that address, with the most names in common.
 * @param {Iterable<HTMLFormElement>} forms
 * @param {{action: string, fields: Entry[]}} sent
 * @param {string} here The page's address.
 * @returns {HTMLFormElement | null}
 */
export function fitting(forms, { action, fields }, here) {
  /** @param {HTMLFormElement} form */
  const shared = (form) => fields.filter(([name]) => all(form).some((field) => field.name === name)).length;
  const candidates = [...forms].filter((form) => shared(form) > 0 && targets(form, here).includes(pathOf(action, here)));
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
  // What frameworks listen for on these is a click.
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
  return tell(field);
}

/**
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {string} value
 */
function write(field, value) {
  if (field.value === value || field.readOnly) return false;
  // By the browser's own setter: React puts one of its own before it, and hears of no change made through that.
  Reflect.set(Object.getPrototypeOf(field), "value", value, field);
  return tell(field);
}

/** @param {Element} field */
function tell(field) {
  for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  return true;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} here
 */
function targets(form, here) {
  return [form, ...form.querySelectorAll("[formaction], [hx-post]")].map((element) => {
    const [address] = ["formaction", "hx-post", "action"].map((name) => element.getAttribute(name)).filter(Boolean);
    return pathOf(address ?? "", here);
  });
}

/**
 * @param {string} address
 * @param {string} here
 */
function pathOf(address, here) {
  return URL.canParse(address, here) ? new URL(address, here).pathname : "";
}
