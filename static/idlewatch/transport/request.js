/** Requests to the server over HTTP. */

import { addressed } from "../core/protocol.js";

/**
 * Send a request. It is passive: what the page does by itself is not the user's activity.
 * @param {object} context
 * @param {(address: string, options: RequestInit) => Promise<Response>} context.fetch
 * @param {{csrf: string, csrfHeader: string, token: string}} context.server Tokens, which change when the user signs in again.
 * @param {string} address
 * @param {unknown} [message] Sent as JSON by POST; without one, the request is a GET.
 * @param {RequestInit} [options]
 */
export function request({ fetch, server }, address, message, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", "Idlewatch-Passive": "1" };
  /** @type {RequestInit} */
  const init = { cache: "no-store", redirect: "error", headers, ...options };
  if (message !== undefined) {
    headers["Content-Type"] = "application/json";
    headers[server.csrfHeader] = server.csrf;
    Object.assign(init, { method: "POST", body: JSON.stringify(message) });
  }
  return fetch(addressed(address, server.token), init);
}
