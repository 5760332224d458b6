/** Where the client's markup is: out of reach of the page's styles, and in the browser's top layer. */

/** Pages open and close their dialogs, and some replace their whole body. */
const WATCHED = { subtree: true, childList: true, attributes: true, attributeFilter: ["open"] };

/** A shadow root beside the body, with at most one modal dialog, and a shelf for notices. */
export class TopLayer {
  #modal = /** @type {HTMLDialogElement | null} */ (null);
  #first = /** @type {HTMLElement | null} */ (null);
  #focusBefore = /** @type {HTMLElement | null} */ (null);
  #observer;

  /**
   * @param {object} options
   * @param {DocumentFragment} options.markup
   * @param {string} options.language Of the sentences, which is not always the page's.
   * @param {string} options.direction
   */
  constructor({ markup, language, direction }) {
    this.host = document.createElement("div");
    this.host.className = "idlewatch";
    this.host.lang = language;
    this.host.dir = direction;
    this.root = this.host.attachShadow({ mode: "open" });
    this.root.append(markup);
    this.shelf = document.createElement("div");
    this.shelf.className = "idlewatch-shelf";
    this.shelf.popover = "manual";
    this.#observer = new MutationObserver(() => this.settle());
  }

  /**
   * Open one of the client's dialogs above all others.
   * @param {HTMLDialogElement} dialog
   * @param {HTMLElement | null} [first] Gets the focus; without it the browser chooses.
   */
  raise(dialog, first = null) {
    if (this.#modal !== dialog) this.#focusBefore = focused(document);
    this.#modal = dialog;
    this.#first = first;
    this.settle();
  }

  /** @param {HTMLDialogElement} dialog */
  lower(dialog) {
    if (this.#modal !== dialog) return;
    this.#modal = null;
    dialog.close();
    // The browser returns the focus too, but into no frame, nor if one of the page's dialogs came and went meanwhile.
    this.#focusBefore?.focus({ preventScroll: true });
    this.#focusBefore = null;
    this.settle();
  }

  /** @param {HTMLElement} notice */
  show(notice) {
    if (notice.parentNode !== this.shelf) this.shelf.append(notice);
    this.settle();
  }

  /** @param {HTMLElement} notice */
  hide(notice) {
    notice.remove();
    this.settle();
  }

  /** Make sure that the markup is in the page, on top of it, and usable: a modal dialog makes all else inert. */
  settle() {
    const needed = this.#modal !== null || this.shelf.childElementCount > 0;
    const pageModal = needed ? this.#pageModal() : null;
    this.#place((this.#modal === null ? pageModal : null) ?? document.documentElement);
    if (this.#modal !== null) this.#open(this.#modal, pageModal?.contains(active(document)) ?? false);
    if (this.shelf.childElementCount > 0) this.#showShelf(this.#modal ?? this.root);
    else this.shelf.remove();
    if (needed) this.#observer.observe(document, WATCHED);
    else this.#observer.disconnect();
  }

  /** Return the page's own modal dialog that is on top, as far as can be told: the one with the focus, or else the last. */
  #pageModal() {
    const dialog = /** @type {HTMLDialogElement | null} */ (active(document)?.closest("dialog:modal") ?? null);
    if (dialog !== null && dialog.getRootNode() !== this.root) return dialog;
    return /** @type {HTMLDialogElement | undefined} */ ([...document.querySelectorAll("dialog:modal")].at(-1)) ?? null;
  }

  /** @param {Element} parent */
  #place(parent) {
    if (this.host.parentNode === parent) return;
    this.shelf.remove();
    parent.append(this.host);
  }

  /**
   * @param {HTMLDialogElement} dialog
   * @param {boolean} covered Whether the page has opened a dialog since.
   */
  #open(dialog, covered) {
    if (dialog.open && dialog.matches(":modal") && !covered) return;
    // A dialog that has left the document has the attribute, but is not modal.
    if (dialog.matches(":modal")) dialog.close();
    dialog.removeAttribute("open");
    dialog.showModal();
    // Not by `autofocus`, which would also take effect when the markup enters the page.
    this.#first?.focus();
  }

  /** @param {ParentNode} parent */
  #showShelf(parent) {
    if (this.shelf.parentNode === parent) return;
    parent.append(this.shelf);
    this.shelf.showPopover();
  }
}

/**
 * Return the element with the focus, in any shadow root or same-origin frame.
 * @param {Document} document
 * @returns {HTMLElement | null}
 */
export function focused(document) {
  const element = active(document);
  const inner = /** @type {HTMLIFrameElement | null} */ (element)?.contentDocument;
  return inner ? (focused(inner) ?? element) : element;
}

/** @param {Document} document */
function active(document) {
  let element = /** @type {HTMLElement | null} */ (document.activeElement);
  while (element?.shadowRoot?.activeElement) element = /** @type {HTMLElement} */ (element.shadowRoot.activeElement);
  return element;
}
