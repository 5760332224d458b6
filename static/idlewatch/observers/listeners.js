/** The listeners of an observer, which end together. */

/** Adds listeners, and removes all of them at once. */
export class Listeners {
  #stopping = new AbortController();

  /**
   * @param {EventTarget} target
   * @param {string} types With spaces between them.
   * @param {(event: any) => void} listener
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, types, listener, options) {
    for (const type of types.split(" ")) target.addEventListener(type, listener, { ...options, signal: this.#stopping.signal });
  }

  /** Remove them; others may be added afterwards. */
  removeAll() {
    this.#stopping.abort();
    this.#stopping = new AbortController();
  }
}
