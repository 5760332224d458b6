/** Sentences, numbers and durations in the language of the page. The server translates the sentences. */

/** Seconds. */
const MINUTE = 60;
const HOUR = 3600;

/** Fills in translated sentences. */
export class I18n {
  /**
   * @param {object} options
   * @param {Record<string, string>} options.strings Sentences by name, with `{name}` where a value belongs.
   * @param {string} options.language The one that the sentences are in.
   */
  constructor({ strings, language }) {
    this.strings = strings;
    this.locale = supportedLocale(language);
  }

  /**
   * Return a sentence, all places filled at once: a value, such as a user's name, may look like a place itself.
   * @param {string} name
   * @param {Record<string, string>} [values]
   */
  text(name, values = {}) {
    return fill(this.strings[name] ?? "", values);
  }

  /**
   * Return why a session ended, or is about to.
   * @param {string | null} reason
   */
  reason(reason) {
    return this.strings[`reason_${reason}`] ?? this.text("signed_out");
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
}

/**
 * Fill in the places of a sentence.
 * @param {string} sentence
 * @param {Record<string, string>} values
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (place, key) => values[key] ?? place);
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
