/** The small window in which a user signs in again beside the page. */

/** Links that open it: each has the address for a tab, in case the browser blocks the window. */
const LINKS = "[data-idlewatch-part^=sign-in]";
/** Its name and features. */
const WINDOW = /** @type {const} */ (["idlewatch-sign-in", "popup,width=480,height=640"]);

/** Opens the window from links in the client's markup. */
export class SignInWindow {
  #opened = /** @type {Window | null} */ (null);

  /** @param {() => void} onOpen */
  constructor(onOpen) {
    this.onOpen = onOpen;
  }

  /**
   * @param {HTMLElement} element Contains the links.
   * @param {string} address
   */
  openFrom(element, address) {
    element.addEventListener("click", (event) => {
      if (/** @type {Element} */ (event.target).closest(LINKS) === null) return;
      // One that is open may hold half a password.
      if (this.#opened?.closed !== false) this.#opened = window.open(address, ...WINDOW);
      if (this.#opened === null) return;
      event.preventDefault();
      this.onOpen();
      this.#opened.focus();
    });
  }
}
