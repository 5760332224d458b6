/** Times and sentences in the page's language. */

/** Seconds. */
const MINUTE = 60;
const HOUR = 3600;

/** Fills sentences that the server has translated; the browser itself knows how to say times. */
export class I18n {
  /**
   * @param {Record<string, string>} strings With `{time}` where a time belongs.
   * @param {string} language The one that they are in.
   */
  constructor(strings, language) {
    this.strings = strings;
    this.language = supported(language);
  }

  /**
   * @param {string} name
   * @param {string} [time]
   */
  say(name, time = "") {
    return (this.strings[name] ?? "").replace("{time}", time);
  }

  /**
   * Say why a session ended.
   * @param {string | null} reason
   */
  reason(reason) {
    return this.strings[`reason_${reason}`] ?? this.say("signed_out");
  }

  /**
   * A time as on a clock, for the eye: 1:58.
   * @param {number} seconds
   */
  digits(seconds) {
    const whole = Math.max(0, Math.ceil(seconds));
    const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
    const minutes = Math.floor(whole / MINUTE);
    if (whole < HOUR) return `${minutes}:${two(whole % MINUTE)}`;
    return `${Math.floor(whole / HOUR)}:${two(minutes % MINUTE)}:${two(whole % MINUTE)}`;
  }

  /**
   * A time in words, for the ear: 1 minute, 30 seconds.
   * @param {number} seconds
   */
  spoken(seconds) {
    const whole = Math.ceil(seconds);
    const parts = [
      this.#unit(Math.floor(whole / HOUR), "hour"),
      this.#unit(Math.floor((whole % HOUR) / MINUTE), "minute"),
      this.#unit(whole % MINUTE, "second"),
    ].filter((part) => part !== "");
    // Not by a space: Arabic puts "and" between them, Chinese nothing.
    const list = new Intl.ListFormat(this.language, { type: "unit" });
    return list.format(parts.length > 0 ? parts : [this.#format(0, "second")]);
  }

  /**
   * @param {number} amount
   * @param {string} unit
   */
  #unit(amount, unit) {
    return amount > 0 ? this.#format(amount, unit) : "";
  }

  /**
   * @param {number} amount
   * @param {string} unit
   */
  #format(amount, unit) {
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "long" }).format(amount);
  }
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
