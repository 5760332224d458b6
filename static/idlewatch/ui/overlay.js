/** What stands in the content's place when nobody may see it. */

import { focused } from "./top_layer.js";

/** Wins over what the page says of its body, whatever that weighs: of important rules, those in a layer come first. */
const rule = (/** @type {string} */ text) => `@layer{${text}}`;
const HIDDEN = rule("body{display:none!important}");
const DIMMED = rule("body,body *{visibility:hidden!important}");
/** These hold no content, and would load anew. */
const KEPT = "link, style";
/**
 * These lose their state by leaving the document: frames load anew, and an editor in them is empty then; Alpine begins
 * anew with what it finds. They stay where they are, unseen.
 */
const FRAGILE = "iframe, frame, object, embed, [x-data], [data-idlewatch-keep]";
/** What the browser shows above all else; leaving the document takes it down. */
const ON_TOP = "dialog:modal, :popover-open";

/** Takes the content out of the document (sight, search, print, assistive technology), and brings it back as it was. */
export class Overlay {
  /** Each part of the content, with what keeps its place. */
  #away = /** @type {Map<ChildNode, Comment>} */ (new Map());
  #holder;
  #undo = /** @type {(() => void)[]} */ ([]);
  #shown = false;
  #hidingSheet = new CSSStyleSheet();
  #dimmingSheet = new CSSStyleSheet();
  #observer;
  #words = "";
  #patience = 0;

  /**
   * @param {object} options
   * @param {Document} options.document
   * @param {TopLayer} options.topLayer
   * @param {{ show(title: string): void, hide(): void }} options.title
   * @param {HTMLDialogElement} options.element What is shown instead: a modal dialog, for one of the page's own that
   *   stays where it is leaves everything else inert.
   */
  constructor({ document, topLayer, title, element }) {
    this.document = document;
    this.topLayer = topLayer;
    this.title = title;
    this.element = element;
    this.#holder = document.createDocumentFragment();
    this.#hidingSheet.replaceSync(HIDDEN);
    this.#dimmingSheet.replaceSync(DIMMED);
    this.#observer = new MutationObserver((records) => this.#follow(records));
    element.addEventListener("cancel", (event) => event.preventDefault());
    // A second Escape closes a dialog whatever its page says.
    element.addEventListener("close", () => this.#shown && this.topLayer.settle());
  }

  get shown() {
    return this.#shown;
  }

  /**
   * Find elements of the page, wherever they are.
   * @param {string} selector
   */
  find(selector) {
    return [...this.#all(this.document), ...this.#all(this.#holder)].filter((element) => element.matches(selector));
  }

  /** Hide for a moment, without a trace. */
  dim() {
    this.#adopt(this.#dimmingSheet, true);
  }

  /**
   * Take the content away.
   * @param {string} title For the tab: the page's own may tell of the content.
   */
  show(title) {
    const { document } = this;
    this.#adopt(this.#dimmingSheet, false);
    if (!this.#shown) {
      this.#shown = true;
      this.#remember();
      this.#adopt(this.#hidingSheet, true);
      this.#lend(document.body);
      for (const node of [...document.body.childNodes]) this.#take(node);
      this.#observer.observe(document, { subtree: true, childList: true, characterData: true });
    }
    this.topLayer.raise(this.element);
    this.#words = title;
    this.title.show(title);
  }

  /** Bring the content back. */
  hide() {
    this.#adopt(this.#dimmingSheet, false);
    if (!this.#shown) return;
    this.#shown = false;
    this.#observer.disconnect();
    for (const [node, mark] of this.#away) {
      // The page may have taken it away meanwhile, or put it elsewhere.
      if (node.parentNode === this.#holder && mark.isConnected) mark.replaceWith(node);
      else mark.remove();
    }
    // What has lost its place, for a script has replaced all that was left in the page, may hold what the user typed.
    this.document.body.append(this.#holder);
    this.#away.clear();
    this.#adopt(this.#hidingSheet, false);
    this.topLayer.lower(this.element);
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** Let go of the content for good: nothing can bring it back. */
  discard() {
    this.#shown = false;
    this.#away.clear();
    this.#holder.replaceChildren();
    this.#undo = [];
    this.document.body.replaceChildren();
  }

  /**
   * Take what comes while the cover stands, from scripts or from a page that is still loading; a new title, too.
   * @param {MutationRecord[]} records
   */
  #follow(records) {
    for (const node of records.flatMap((record) => [...record.addedNodes])) {
      if (node.parentNode === this.document.body) this.#take(/** @type {ChildNode} */ (node));
    }
    if (this.document.title === this.#words) return;
    // A script may insist on its own likewise: it has the last word after a hundred turns at once, or the tab would hang.
    const now = performance.now();
    this.#patience = Math.max(this.#patience, now) + 10;
    if (this.#patience < now + 1000) this.title.show(this.#words);
  }

  /** @param {ChildNode} node */
  #take(node) {
    if (node.nodeType === Node.COMMENT_NODE) return;
    if (node instanceof Element && (node.matches(KEPT) || isFragile(node))) return;
    const mark = this.document.createComment("");
    node.replaceWith(mark);
    this.#holder.append(node);
    this.#away.set(node, mark);
  }

  /** Scripts hold on to what has left: to remove it, or to insert before it, must not fail meanwhile. */
  #lend(/** @type {any} */ body) {
    body.removeChild = (/** @type {any} */ node) =>
      Node.prototype.removeChild.call(node?.parentNode === this.#holder ? this.#holder : body, node);
    body.insertBefore = (/** @type {any} */ node, /** @type {any} */ before) =>
      Node.prototype.insertBefore.call(body, node, this.#away.get(before) ?? before);
    this.#undo.push(() => {
      delete body.removeChild;
      delete body.insertBefore;
    });
  }

  /** Note what leaving the document makes a page forget. */
  #remember() {
    const { document } = this;
    const focus = focused(document);
    const scrolls = [];
    for (const element of this.#all(document)) {
      const { scrollLeft: left, scrollTop: top } = element;
      if (left !== 0 || top !== 0) scrolls.push(() => element.scrollTo({ left, top, behavior: "instant" }));
      if (element.matches(ON_TOP)) this.#undo.push(() => reopen(/** @type {HTMLDialogElement} */ (element)));
    }
    this.#undo.push(...scrolls, selection(document), () => focus?.focus({ preventScroll: true }));
    this.#undo.push(() => this.title.hide());
  }

  /** @param {ParentNode} root */
  #all(root) {
    return elements(root, this.topLayer.host);
  }

  /**
   * @param {CSSStyleSheet} sheet
   * @param {boolean} on
   */
  #adopt(sheet, on) {
    const { document } = this;
    const others = document.adoptedStyleSheets.filter((other) => other !== sheet);
    if (on !== document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = on ? [...others, sheet] : others;
  }
}

/** @param {HTMLDialogElement} element Or anything else that the page had put on top. */
function reopen(element) {
  // What has stayed in the document is on top still.
  if (element.matches(ON_TOP)) return;
  if (!element.open) {
    element.showPopover();
    return;
  }
  // Only a closed one can be made modal again, and closing it properly would tell the page's scripts.
  element.removeAttribute("open");
  element.showModal();
}

/**
 * Return what puts the selection back.
 * @param {Document} document
 */
function selection(document) {
  const { anchorNode, anchorOffset, focusNode, focusOffset } = document.getSelection() ?? {};
  return () => {
    if (anchorNode?.isConnected && focusNode?.isConnected) {
      document.getSelection()?.setBaseAndExtent(anchorNode, anchorOffset ?? 0, focusNode, focusOffset ?? 0);
    }
  };
}

/** @param {Element} element */
function isFragile(element) {
  return element.matches(FRAGILE) || [...elements(element)].some((inner) => inner.matches(FRAGILE));
}

/**
 * All below a node, in whatever same-origin frame, and in whatever shadow root but the client's own.
 * @param {ParentNode} root
 * @param {Element} [own]
 * @returns {Generator<Element>}
 */
function* elements(root, own) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    const inner = /** @type {HTMLIFrameElement} */ (element).contentDocument ?? element.shadowRoot;
    if (inner && element !== own) yield* elements(inner);
  }
}
