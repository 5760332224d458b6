/** Sentences with numbers, in the language of the live page. */

import { I18n, fill } from "../ui/i18n.js";

/**
 * @typedef {object} Plural
 * @property {string[]} forms
 * @property {string} which The index of the form for each number; longer numbers go by their last two digits.
 */

/** Fills in numbers too, and takes the form of a sentence that belongs to a number. */
export class LiveI18n extends I18n {
  #numbers;

  /**
   * @param {object} options
   * @param {Record<string, string>} options.strings
   * @param {Record<string, Plural>} [options.plurals]
   * @param {string} options.language
   */
  constructor({ plurals = {}, ...options }) {
    super(options);
    this.plurals = plurals;
    this.#numbers = new Intl.NumberFormat(this.locale);
  }

  /**
   * Return a sentence.
   * @param {string} name
   * @param {Record<string, string | number>} [values]
   */
  text(name, values = {}) {
    return super.text(name, this.#written(values));
  }

  /**
   * Return a sentence in the form that belongs to a number.
   * @param {string} name
   * @param {number} n
   */
  plural(name, n) {
    const { forms, which } = this.plurals[name];
    const index = n < which.length ? n : 100 + (n % 100);
    return fill(forms[Number(which[index])], this.#written({ n }));
  }

  /** @param {number} number */
  number(number) {
    return this.#numbers.format(number);
  }

  /**
   * @param {Record<string, string | number>} values
   * @returns {Record<string, string>}
   */
  #written(values) {
    const entries = Object.entries(values);
    return Object.fromEntries(entries.map(([key, value]) => [key, typeof value === "number" ? this.number(value) : value]));
  }
}
