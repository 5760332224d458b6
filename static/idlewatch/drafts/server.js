/** The server's drafts of this user. */

import { request } from "../transport/request.js";

/** Characters up to which a request may outlive the page: browsers limit those to 64 KiB in all. */
const MAX_KEEPALIVE_LENGTH = 20_000;

/**
 * @typedef {object} Kept
 * @property {string} form The form's name.
 * @property {"draft" | "refused"} kind
 * @property {number} saved Epoch seconds.
 * @property {Entry[]} fields
 * @property {string} action Where a refused form was sent.
 */

/** Loads, saves and deletes drafts. */
export class DraftServer {
  /**
   * @param {object} options
   * @param {{drafts?: string, token: string, csrf: string, csrfHeader: string}} options.server
   * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
   */
  constructor({ server, fetch }) {
    this.server = server;
    this.fetch = fetch;
  }

  /**
   * Load what is kept of the forms of a page; null if the server did not answer.
   * @param {string} page
   * @returns {Promise<Kept[] | null>}
   */
  async load(page) {
    const response = await request(this, `${this.server.drafts}?page=${encodeURIComponent(page)}`).catch(() => null);
    if (!response?.ok) return null;
    return (await response.json().catch(() => ({}))).drafts ?? [];
  }

  /**
   * Save a draft; null if the server did not answer.
   * @param {{page: string, form: string, fields: Entry[]}} draft
   * @param {AbortSignal} signal
   */
  save(draft, signal) {
    return this.#post(draft, signal);
  }

  /**
   * Delete a draft.
   * @param {string} page
   * @param {string} form
   */
  delete(page, form) {
    void this.#post({ page, form, fields: null });
  }

  /**
   * @param {{page: string, form: string, fields: Entry[] | null}} message
   * @param {AbortSignal} [signal]
   */
  #post(message, signal) {
    const keepalive = JSON.stringify(message).length < MAX_KEEPALIVE_LENGTH;
    return request(this, this.server.drafts ?? "", message, { keepalive, signal }).catch(() => null);
  }
}
