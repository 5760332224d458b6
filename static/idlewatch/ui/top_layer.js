/** Where the client's own parts stand: out of reach of the page's looks, and above whatever else the page shows. */

/** Asked for anew each time: pages open and close their dialogs, and some replace their whole body. */
const WATCHED = { subtree: true, childList: true, attributes: true, attributeFilter: ["open"] };

/** A shadow root beside the body, with at most one modal dialog in it, and a shelf for what is said without getting in the way. */
export class TopLayer {
  #modal = /** @type {HTMLDialogElement | null} */ (null);
  #first = /** @type {HTMLElement | null} */ (null);
  #back = /** @type {HTMLElement | null} */ (null);
  #observer;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {DocumentFragment} options.markup
   * @param {string} options.language Of the words, which is not always the page's.
   * @param {string} options.direction
   */
  constructor({ document, markup, language, direction }) {
    this.document = document;
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
   * Open a dialog of ours above all others.
   * @param {HTMLDialogElement} dialog
   * @param {HTMLElement | null} [first] Gets the focus; without it the browser chooses.
   */
  raise(dialog, first = null) {
    if (this.#modal !== dialog) this.#back = focused(this.document);
    this.#modal = dialog;
    this.#first = first;
    this.settle();
  }

  /** @param {HTMLDialogElement} dialog */
  lower(dialog) {
    if (this.#modal !== dialog) return;
    this.#modal = null;
    dialog.close();
    // The browser gives it back too, but into no frame, nor if one of the page's dialogs came and went meanwhile.
    this.#back?.focus({ preventScroll: true });
    this.#back = null;
    this.settle();
  }

  /** @param {HTMLElement} piece */
  show(piece) {
    if (piece.parentNode !== this.shelf) this.shelf.append(piece);
    this.settle();
  }

  /** @param {HTMLElement} piece */
  hide(piece) {
    piece.remove();
    this.settle();
  }

  /** Be in the page, on top of it, and within reach: outside of a modal dialog everything is inert. */
  settle() {
    const needed = this.#modal !== null || this.shelf.childElementCount > 0;
    const theirs = needed ? this.#theirs() : null;
    this.#place((this.#modal === null ? theirs : null) ?? this.document.documentElement);
    if (this.#modal !== null) this.#open(this.#modal, theirs?.contains(active(this.document)) ?? false);
    if (this.shelf.childElementCount > 0) this.#shelve(this.#modal ?? this.root);
    else this.shelf.remove();
    if (needed) this.#observer.observe(this.document, WATCHED);
    else this.#observer.disconnect();
  }

  /** The page's own modal dialog that is on top, as far as can be told: the one that has the focus, or else the last. */
  #theirs() {
    const dialog = /** @type {HTMLDialogElement | null} */ (active(this.document)?.closest("dialog:modal") ?? null);
    if (dialog !== null && dialog.getRootNode() !== this.root) return dialog;
    return /** @type {HTMLDialogElement | undefined} */ ([...this.document.querySelectorAll("dialog:modal")].at(-1)) ?? null;
  }

  /** @param {Element} parent */
  #place(parent) {
    if (this.host.parentNode === parent) return;
    this.shelf.remove();
    parent.append(this.host);
  }

  /**
   * @param {HTMLDialogElement} dialog
   * @param {boolean} below Another dialog has been opened since.
   */
  #open(dialog, below) {
    if (dialog.open && dialog.matches(":modal") && !below) return;
    // One that has left the document is open by its attribute alone.
    if (dialog.matches(":modal")) dialog.close();
    dialog.removeAttribute("open");
    dialog.showModal();
    // Not by `autofocus`: browsers look for that attribute when the markup enters the page, too.
    this.#first?.focus();
  }

  /** @param {ParentNode} parent */
  #shelve(parent) {
    if (this.shelf.parentNode === parent) return;
    parent.append(this.shelf);
    this.shelf.showPopover();
  }
}

/**
 * The element that has the focus, in whatever shadow root and same-origin frame.
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
