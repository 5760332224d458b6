/** Dates and times of day in the language of the page and the time zone of the site. */

/** Seconds for which a time of day is unambiguous without its date. */
const HALF_DAY = 12 * 3600;

/** Formats moments, which are epoch seconds. */
export class Dates {
  #time;
  #date;
  #full;
  #minute;

  /**
   * @param {string | undefined} locale
   * @param {string} [zone]
   */
  constructor(locale, zone) {
    const timeZone = supportedZone(zone);
    const minute = /** @type {const} */ ({ hour: "numeric", minute: "2-digit", timeZone });
    this.#minute = new Intl.DateTimeFormat(locale, minute);
    this.#time = new Intl.DateTimeFormat(locale, { ...minute, second: "2-digit" });
    this.#date = new Intl.DateTimeFormat(locale, { ...minute, month: "short", day: "numeric" });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "long", timeZone });
  }

  /**
   * Return the time of a moment within the last twelve hours, and the date too of an earlier one.
   * @param {number} moment
   * @param {number} now
   */
  short(moment, now) {
    const format = now - moment < HALF_DAY ? this.#time : this.#date;
    return format.format(moment * 1000);
  }

  /** @param {number} moment */
  full(moment) {
    return this.#full.format(moment * 1000);
  }

  /**
   * Return the time of a moment without its seconds.
   * @param {number} moment
   */
  minute(moment) {
    return this.#minute.format(moment * 1000);
  }
}

/**
 * Return a time zone that the browser knows; undefined, which is its own, for a name that only Python knows.
 * @param {string | undefined} zone
 */
function supportedZone(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
