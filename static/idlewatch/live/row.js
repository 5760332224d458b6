/** One row of the table: a session, its cells changed in place. */

import { PHASE } from "../core/protocol.js";
import { setText } from "../ui/dom.js";
import { countdown } from "../ui/i18n.js";

/** Stands for an unknown value. */
const NONE = "–";

/**
 * @typedef {object} RowContext What all rows share.
 * @property {HTMLTemplateElement} markup
 * @property {LiveI18n} i18n
 * @property {Dates} dates
 * @property {() => number} now Epoch seconds, by the server's clock.
 * @property {{record: string | null, account: string | null}} addresses
 * @property {string | null} present The session that the operator is in, which no action may concern.
 */

/** Shows a session. */
export class RowView {
  /**
   * @param {RowContext} context
   * @param {Row} row
   */
  constructor(context, row) {
    this.context = context;
    const { markup, i18n, dates, now, addresses, present } = context;
    const fragment = /** @type {DocumentFragment} */ (markup.content.cloneNode(true));
    this.element = /** @type {HTMLElement} */ (fragment.firstElementChild);
    this.element.dataset.id = row.id;
    const values = { user: row.user, started: dates.short(row.started, now()) };
    const check = this.#cell("check");
    check?.setAttribute("aria-label", i18n.text("select", values));
    if (row.id === present) check?.setAttribute("title", i18n.text("present"));
    const link = /** @type {HTMLAnchorElement} */ (this.#cell("record"));
    link.hidden = addresses.record === null;
    link.href = (addresses.record ?? "").replace(/\/0\//, `/${encodeURIComponent(row.id.replaceAll("_", "_5F"))}/`);
    link.setAttribute("aria-label", i18n.text("record", values));
  }

  /**
   * @param {Row} row
   * @param {string | null} gone What the phase of a row is that has left the server's page; null while it is there.
   * @param {boolean} selected
   */
  show(row, gone, selected) {
    const { i18n, addresses, present } = this.context;
    const user = /** @type {HTMLAnchorElement} */ (this.#set("user", row.user));
    if (addresses.account !== null) user.href = addresses.account + encodeURIComponent(row.user);
    this.#set("mine", i18n.text("you")).hidden = !row.mine;
    const by = row.impersonator ? `${i18n.text("impersonator")}: ${row.impersonator}` : "";
    this.#set("impersonator", by).hidden = by === "";
    this.#set("device", row.device || NONE);
    this.#set("address", row.address || NONE);
    this.#setMoment("started", row.started);
    this.#setMoment("seen", row.seen);
    this.#set("tabs", i18n.number(row.tabs));
    this.#set("hold", row.hold === null ? NONE : row.hold || i18n.text("held"));
    this.#set("phase", gone ?? this.#phase(row));
    this.#set("ends", gone === null ? this.#ends(row) : NONE);
    this.element.dataset.phase = gone === null ? row.phase : "gone";
    this.element.toggleAttribute("data-selected", selected);
    const check = /** @type {HTMLInputElement | null} */ (this.#cell("check"));
    if (check === null) return;
    check.checked = selected;
    check.disabled = gone !== null || row.id === present;
  }

  /**
   * Update the countdown.
   * @param {Row} row
   */
  tick(row) {
    this.#set("ends", this.#ends(row));
  }

  /** @param {Row} row */
  #phase({ phase, reason }) {
    const { i18n } = this.context;
    if (phase !== PHASE.WARNED) return i18n.text("active");
    return reason === null ? i18n.text("warned") : i18n.text("warned_for", { reason: i18n.reason(reason) });
  }

  /** @param {Row} row */
  #ends({ ends }) {
    const { i18n, now } = this.context;
    return ends === null ? i18n.text("never") : countdown(ends - now());
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #set(name, text) {
    const cell = this.#cell(name);
    setText(cell, text);
    return cell;
  }

  /**
   * @param {string} name
   * @param {number} moment
   */
  #setMoment(name, moment) {
    const { dates, now } = this.context;
    const time = /** @type {HTMLTimeElement} */ (this.#cell(name));
    const text = dates.short(moment, now());
    if (time.textContent === text) return;
    time.dateTime = new Date(moment * 1000).toISOString();
    time.title = dates.full(moment);
    time.textContent = text;
  }

  /** @param {string} name */
  #cell(name) {
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-cell="${name}"]`));
  }
}
