/** The small window in which a user signs in again beside the page. */

/** Links that open it: each has the address for a tab, in case the browser blocks the window. */
const LINKS = "[data-idlewatch-part^=sign-in]";
/** Its name and features. */
const WINDOW = /** @type {const} */ (["idlewatch-sign-in", "popup,width=480,height=640"]);

/** Opens the window from links in the client's markup. */
export class SignInWindow {
  #opened = /** @type {Window | null} */ (null);

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {string} options.address
   * @param {() => void} options.onOpen
   */
  constructor({ window, address, onOpen }) {
    this.window = window;
    this.address = address;
    this.onOpen = onOpen;
  }

  /** @param {HTMLElement} element Contains the links. */
  openFrom(element) {
    element.addEventListener("click", this.#click);
  }

  #click = (/** @type {Event} */ event) => {
    const link = /** @type {Element} */ (event.target).closest(LINKS);
    if (link === null) return;
    // One that is open may hold half a password.
    if (this.#opened?.closed !== false) this.#opened = this.window.open(this.address, ...WINDOW);
    if (this.#opened === null) return;
    event.preventDefault();
    this.onOpen();
    this.#opened.focus();
  };
}
