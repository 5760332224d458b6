/** The channel by which the browser's tabs notice a sign-in in another tab. */

/**
 * Announces this page's token to the other tabs of the site, and receives theirs. A token decides nothing: a tab that does
 * not know it asks the server.
 */
export class SignInChannel {
  #channel = /** @type {BroadcastChannel | null} */ (null);

  /**
   * @param {object} options
   * @param {() => BroadcastChannel | null} options.open Null in a browser without broadcast channels.
   * @param {(token: string) => void} options.onToken
   */
  constructor({ open, onToken }) {
    this.open = open;
    this.onToken = onToken;
  }

  start() {
    this.#channel ??= this.open();
    if (this.#channel !== null) this.#channel.onmessage = (event) => this.onToken(event.data);
  }

  /**
   * Announce the token of a page that has just come from the server.
   * @param {string} token
   */
  announce(token) {
    this.#channel?.postMessage(token);
  }

  stop() {
    this.#channel?.close();
    this.#channel = null;
  }
}
