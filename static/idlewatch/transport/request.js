/** A request to the server over HTTP. */

import { addressed } from "../core/protocol.js";

/**
 * Ask or tell the server something; passive, for the page's own requests are nobody's activity.
 * @param {object} by
 * @param {(address: string, options: RequestInit) => Promise<Response>} by.fetch
 * @param {{csrf: string, token: string}} by.server Its tokens are read anew each time: a new sign-in brings new ones.
 * @param {string} address
 * @param {unknown} [message] Sent as JSON; without one, the answer is all that is wanted.
 * @param {RequestInit} [options]
 */
export function request({ fetch, server }, address, message, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", "Idlewatch-Passive": "1" };
  /** @type {RequestInit} */
  const init = { cache: "no-store", redirect: "error", headers, ...options };
  if (message !== undefined) {
    headers["Content-Type"] = "application/json";
    headers["X-CSRFToken"] = server.csrf;
    Object.assign(init, { method: "POST", body: JSON.stringify(message) });
  }
  return fetch(addressed(address, server.token), init);
}
