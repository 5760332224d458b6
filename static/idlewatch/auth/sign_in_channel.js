/** Word from the browser's other tabs that somebody signed in. */

/** Tells the other tabs of this site, and hears it from them. What it means for them, the server alone says. */
export class SignInChannel {
  #channel = /** @type {BroadcastChannel | null} */ (null);

  /**
   * @param {object} options
   * @param {() => BroadcastChannel | null} options.open Null where the browser has none.
   * @param {(token: string) => void} options.onGreeting
   */
  constructor({ open, onGreeting }) {
    this.open = open;
    this.onGreeting = onGreeting;
  }

  start() {
    this.#channel ??= this.open();
    if (this.#channel !== null) this.#channel.onmessage = (event) => this.onGreeting(event.data);
  }

  /**
   * Say that a page comes straight from the server: where its token is new to another, that one has to look.
   * @param {string} token
   */
  greet(token) {
    this.#channel?.postMessage(token);
  }

  stop() {
    this.#channel?.close();
    this.#channel = null;
  }
}
