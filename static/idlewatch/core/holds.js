/** Work that needs no input, such as an upload or a video, and holds the session. */

import { Timer } from "./clock.js";
import { LIMIT, MESSAGE } from "./protocol.js";

/** @typedef {{id: string, label: string, lasts: () => boolean}} Hold */
/** @typedef {{release: () => void}} HoldHandle */

/** Seconds: half of what the server grants, so that one lost renewal does no harm. */
const RENEW_EVERY = LIMIT.HOLD_LIFE / 2;

/** Renews the holds of this page until they are released. */
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

  /** Stop the renewals: the session is over. Holds that last are sent again in the user's next session. */
  stop() {
    this.#renewal.cancel();
  }

  /**
   * Begin a hold.
   * @param {string} label What the user would call the work; operators see it.
   * @param {() => boolean} [lasts] Called before each renewal; false releases the hold.
   * @returns {HoldHandle}
   */
  hold(label, lasts = () => true) {
    this.#count += 1;
    const hold = { id: `${this.page}-${this.#count}`.slice(-LIMIT.HOLD_ID), label: clean(label), lasts };
    this.#holds.set(hold.id, hold);
    this.#announce(hold);
    if (!this.#renewal.running) this.#renewal.start(RENEW_EVERY);
    return { release: () => this.#release(hold) };
  }

  /** Send all holds again: in time, or to a server that was away. */
  renew() {
    for (const hold of [...this.#holds.values()]) {
      if (!hold.lasts()) this.#release(hold);
      else if (!this.#refused) this.#announce(hold);
    }
    if (this.#holds.size > 0) this.#renewal.start(RENEW_EVERY);
  }

  /**
   * Stop the renewals, and return the messages that release all holds: the page goes away. `renew` announces the holds again
   * if it comes back.
   * @returns {Message[]}
   */
  releases() {
    this.#renewal.cancel();
    return Array.from(this.#holds.keys(), (id) => ({ type: MESSAGE.RELEASE, id }));
  }

  /** Stop asking until the user acts: the server grants no holds, or this one has lasted too long. */
  refuse() {
    this.#refused = true;
  }

  /** Ask again: the user has acted, which restarts the limit of holds. */
  allow() {
    this.#refused = false;
  }

  /** @param {Hold} hold */
  #announce(hold) {
    this.send({ type: MESSAGE.HOLD, id: hold.id, label: hold.label });
  }

  /** @param {Hold} hold */
  #release(hold) {
    if (!this.#holds.delete(hold.id)) return;
    if (this.#holds.size === 0) this.#renewal.cancel();
    this.send({ type: MESSAGE.RELEASE, id: hold.id });
  }
}

/**
 * Fit a label to what the server takes: no control characters, and a limited number of code points.
 * @param {unknown} label
 */
function clean(label) {
  const printable = String(label ?? "").replace(/[\0-\x1f\x7f-\x9f]+/g, " ");
  return [...printable].slice(0, LIMIT.HOLD_LABEL).join("");
}

/** Return a random id for this page. `crypto.randomUUID` is missing over plain HTTP. */
export function pageId() {
  return crypto.getRandomValues(new Uint32Array(3)).join("");
}
