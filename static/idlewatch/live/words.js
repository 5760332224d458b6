/** Sentences, numbers and times in the page's language. */

/**
 * @typedef {object} Plural
 * @property {string[]} forms
 * @property {string} which For each number, the place of its form; longer numbers go by their last two digits.
 */

/** Fills sentences that the server has translated. */
export class LiveI18n {
  #numbers;
  #clock;
  #day;
  #full;

  /**
   * @param {object} options
   * @param {Record<string, string>} options.strings
   * @param {Record<string, Plural>} options.plurals
   * @param {string} options.language
   * @param {string} [options.zone] The time zone of the site's times.
   */
  constructor({ strings, plurals, language, zone }) {
    this.strings = strings;
    this.plurals = plurals;
    const known = supported(language);
    const timeZone = supportedZone(zone);
    const short = /** @type {const} */ ({ hour: "numeric", minute: "2-digit", timeZone });
    this.#numbers = new Intl.NumberFormat(known);
    this.#clock = new Intl.DateTimeFormat(known, { ...short, second: "2-digit" });
    this.#day = new Intl.DateTimeFormat(known, { ...short, month: "short", day: "numeric" });
    this.#full = new Intl.DateTimeFormat(known, { dateStyle: "long", timeStyle: "long", timeZone });
    this.minutes = new Intl.DateTimeFormat(known, short);
  }

  /**
   * @param {string} name
   * @param {Record<string, string | number>} [values]
   */
  say(name, values = {}) {
    return fill(this.strings[name] ?? "", this.#written(values));
  }

  /**
   * Say a sentence about a number.
   * @param {string} name
   * @param {number} n
   */
  count(name, n) {
    const { forms, which } = this.plurals[name];
    const place = n < which.length ? n : 100 + (n % 100);
    return fill(forms[Number(which[place])], { n: this.number(n) });
  }

  /** @param {number} number */
  number(number) {
    return this.#numbers.format(number);
  }

  /**
   * Say why a session is about to end.
   * @param {string | null} reason
   */
  reason(reason) {
    return this.strings[`reason_${reason}`] ?? "";
  }

  /**
   * A moment: of the last twelve hours by its time alone, else with its day.
   * @param {number} seconds
   * @param {number} now
   */
  moment(seconds, now) {
    const format = now - seconds < 12 * 3600 ? this.#clock : this.#day;
    return format.format(seconds * 1000);
  }

  /** @param {number} seconds */
  full(seconds) {
    return this.#full.format(seconds * 1000);
  }

  /** @param {number} seconds */
  minute(seconds) {
    return this.minutes.format(seconds * 1000);
  }

  /** @param {Record<string, string | number>} values */
  #written(values) {
    const pairs = Object.entries(values);
    return Object.fromEntries(pairs.map(([key, value]) => [key, typeof value === "number" ? this.number(value) : value]));
  }
}

/**
 * The time until a moment, as on a clock, and never below nothing.
 * @param {number} seconds
 */
export function countdown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * @param {string} sentence
 * @param {Record<string, string>} values
 */
function fill(sentence, values) {
  // In one go: what a user is called may look like a place for something else.
  return sentence.replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
}

/**
 * A site's own catalogue may name a language that is none; the browser's own then has to do.
 * @param {string} language
 */
function supported(language) {
  try {
    return Intl.getCanonicalLocales(language || [])[0];
  } catch {
    return undefined;
  }
}

/**
 * Python knows zones by names that browsers do not; the browser's own then has to do.
 * @param {string | undefined} zone
 */
function supportedZone(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
