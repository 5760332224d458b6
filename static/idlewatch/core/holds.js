/** Work that needs no input: an upload, a video. */

import { LIMIT, MESSAGE } from "./protocol.js";
import { Timer } from "./clock.js";

/** @typedef {{id: string, label: string, lasts: () => boolean}} Hold */
/** @typedef {{release: () => void}} HoldHandle */

/** Half of what the server grants, so that one lost renewal does no harm. */
const RENEW_EVERY = LIMIT.HOLD_LIFE / 2;

/** Keeps the holds of this page alive until they are released. */
export class Holds {
  #holds = /** @type {Map<string, Hold>} */ (new Map());
  #count = 0;
  #refused = false;
  #renewal;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(message: Message) => boolean} options.send
   * @param {string} options.page Tells this page's holds from those of the session's other tabs.
   */
  constructor({ clock, send, page }) {
    this.send = send;
    this.page = page;
    this.#renewal = new Timer(clock, () => this.renew());
  }

  /** Whether this page holds anything. */
  get any() {
    return this.#holds.size > 0;
  }

  /** Say nothing more: the session is over. Work that goes on is said again when its user has signed in again. */
  stop() {
    this.#renewal.clear();
  }

  /**
   * Begin to hold.
   * @param {string} label What the user calls the work; operators see it.
   * @param {() => boolean} [lasts] Asked before each renewal: false releases.
   * @returns {HoldHandle}
   */
  hold(label, lasts = () => true) {
    this.#count += 1;
    const hold = { id: `${this.page}-${this.#count}`.slice(-LIMIT.HOLD_ID), label: clean(label), lasts };
    this.#holds.set(hold.id, hold);
    this.#say(hold);
    if (!this.#renewal.running) this.#renewal.set(RENEW_EVERY);
    return { release: () => this.#release(hold) };
  }

  /** Say all holds again: in time, or to a server that was away. */
  renew() {
    for (const hold of [...this.#holds.values()]) {
      if (!hold.lasts()) this.#release(hold);
      else if (!this.#refused) this.#say(hold);
    }
    if (this.any) this.#renewal.set(RENEW_EVERY);
  }

  /**
   * Hand over what lets go of all holds, for the page goes away; should it come back, `renew` takes them up again.
   * @returns {Message[]}
   */
  part() {
    this.#renewal.clear();
    return Array.from(this.#holds.keys(), (id) => ({ type: MESSAGE.RELEASE, id }));
  }

  /** The server refuses: holds are off, or have lasted too long. Only the user's activity makes asking again worth it. */
  refuse() {
    this.#refused = true;
  }

  /** The user acted, which begins a new stretch. */
  allow() {
    this.#refused = false;
  }

  /** @param {Hold} hold */
  #say(hold) {
    this.send({ type: MESSAGE.HOLD, id: hold.id, label: hold.label });
  }

  /** @param {Hold} hold */
  #release(hold) {
    if (!this.#holds.delete(hold.id)) return;
    if (!this.any) this.#renewal.clear();
    this.send({ type: MESSAGE.RELEASE, id: hold.id });
  }
}

/**
 * Fit a label to what the server takes: no control characters, and counted as it counts, by code points.
 * @param {unknown} label
 */
function clean(label) {
  const printable = String(label ?? "").replace(/\p{Cc}+/gu, " ");
  return [...printable].slice(0, LIMIT.HOLD_LABEL).join("");
}

/** Draw an id for this page. `crypto.randomUUID` is missing on plain HTTP, this is not. */
export function pageId() {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return Array.from(words, (word) => word.toString(36)).join("");
}
