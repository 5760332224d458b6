/** Sentences, numbers and durations in the language of the page. The server translates the sentences. */

/** Seconds. */
const MINUTE = 60;
const HOUR = 3600;

/**
 * @typedef {object} Plural
 * @property {string[]} forms
 * @property {string} which The index of the form for each number; longer numbers go by their last two digits.
 */

/** Fills in translated sentences. */
export class I18n {
  #numbers;

  /**
   * @param {object} options
   * @param {Record<string, string>} options.strings Sentences by name, with `{name}` where a value belongs.
   * @param {Record<string, Plural>} [options.plurals]
   * @param {string} options.language The one that the sentences are in.
   */
  constructor({ strings, plurals = {}, language }) {
    this.strings = strings;
    this.plurals = plurals;
    this.locale = supportedLocale(language);
    this.#numbers = new Intl.NumberFormat(this.locale);
  }

  /**
   * Return a sentence.
   * @param {string} name
   * @param {Record<string, string | number>} [values]
   */
  text(name, values = {}) {
    return this.#fill(this.strings[name] ?? "", values);
  }

  /**
   * Return a sentence in the form that belongs to a number.
   * @param {string} name
   * @param {number} n
   */
  plural(name, n) {
    const { forms, which } = this.plurals[name];
    const index = n < which.length ? n : 100 + (n % 100);
    return this.#fill(forms[Number(which[index])], { n });
  }

  /**
   * Return why a session ended, or is about to.
   * @param {string | null} reason
   */
  reason(reason) {
    return this.strings[`reason_${reason}`] ?? this.text("signed_out");
  }

  /** @param {number} number */
  number(number) {
    return this.#numbers.format(number);
  }

  /**
   * Return a duration in words, for screen readers: 1 minute, 30 seconds.
   * @param {number} seconds
   */
  duration(seconds) {
    const whole = Math.max(0, Math.ceil(seconds));
    const amounts = /** @type {const} */ ([
      [Math.floor(whole / HOUR), "hour"],
      [Math.floor((whole % HOUR) / MINUTE), "minute"],
      [whole % MINUTE, "second"],
    ]);
    const units = amounts.filter(([amount, unit]) => amount > 0 || (whole === 0 && unit === "second"));
    // Not joined by spaces: Arabic puts "and" between them, Chinese nothing.
    const list = new Intl.ListFormat(this.locale, { type: "unit" });
    return list.format(
      units.map(([amount, unit]) =>
        new Intl.NumberFormat(this.locale, { style: "unit", unit, unitDisplay: "long" }).format(amount),
      ),
    );
  }

  /**
   * Fill all places at once: a value, such as a user's name, may look like a place itself.
   * @param {string} sentence
   * @param {Record<string, string | number>} values
   */
  #fill(sentence, values) {
    return sentence.replace(/\{(\w+)\}/g, (place, key) => {
      const value = values[key] ?? place;
      return typeof value === "number" ? this.number(value) : value;
    });
  }
}

/**
 * Return a duration in digits, for the eye: 1:58. Never negative.
 * @param {number} seconds
 */
export function countdown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE)];
  const padded = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${hours > 0 ? `${hours}:${padded(minutes)}` : minutes}:${padded(whole % MINUTE)}`;
}

/**
 * Return the locale of a language; undefined, which is the browser's own, where a project's catalogue has a name that is
 * not a language tag.
 * @param {string} language
 */
function supportedLocale(language) {
  try {
    return Intl.getCanonicalLocales(language || [])[0];
  } catch {
    return undefined;
  }
}
