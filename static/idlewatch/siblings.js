/** Word from the browser's other tabs that somebody signed in. */

/** @typedef {{user: string, csrf: string}} Greeting */

/** Tells the other tabs of this site who is signed in here, and hears it from them. */
export class Siblings {
  #channel = /** @type {BroadcastChannel | null} */ (null);

  /**
   * @param {object} options
   * @param {() => BroadcastChannel | null} options.open Null where the browser has none.
   * @param {Greeting} options.greeting `user` is opaque; the token goes with the newest sign-in, and older pages need it.
   * @param {(greeting: Greeting) => void} options.onGreeting
   */
  constructor({ open, greeting, onGreeting }) {
    this.open = open;
    this.greeting = greeting;
    this.onGreeting = onGreeting;
  }

  start() {
    this.#channel ??= this.open();
    if (this.#channel !== null) this.#channel.onmessage = (event) => this.onGreeting(event.data);
  }

  /** Say it: only a page that comes straight from the server knows the newest token. */
  greet() {
    this.#channel?.postMessage({ user: this.greeting.user, csrf: this.greeting.csrf });
  }

  stop() {
    this.#channel?.close();
    this.#channel = null;
  }
}
