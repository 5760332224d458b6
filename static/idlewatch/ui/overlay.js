/** What is shown in place of the content while it must not be seen. */

import { elementsIn } from "./dom.js";
import { savePageState } from "./page_state.js";

/** Takes precedence over any style of the page: of important rules, those in a layer come first. */
const rule = (/** @type {string} */ text) => `@layer{${text}}`;
const HIDDEN = rule("body{display:none!important}");
const DIMMED = rule("body,body *{visibility:hidden!important}");
/** These hold no content, and would be loaded again. */
const HARMLESS = "link, style";
/**
 * These lose their state when they leave the document, and stay in it, hidden: frames are loaded again, an editor in them
 * is empty then, and Alpine starts over.
 */
const FRAGILE = "iframe, frame, object, embed, [x-data], [data-idlewatch-keep]";

/** Takes the content out of the document (sight, search, print, assistive technology), and puts it back as it was. */
export class Overlay {
  /** Each part of the content, with the comment that marks its place. */
  #away = /** @type {Map<ChildNode, Comment>} */ (new Map());
  #holder;
  #shown = false;
  #restore = () => {};
  #hidingSheet = new CSSStyleSheet();
  #dimmingSheet = new CSSStyleSheet();
  #observer;
  #title = "";
  #titleBudget = 0;

  /**
   * @param {object} options
   * @param {TopLayer} options.topLayer
   * @param {{ show(title: string): void, hide(): void }} options.title
   * @param {HTMLDialogElement} options.element What is shown: a modal dialog, as one of the page's own that stays in the
   *   document makes all else inert.
   */
  constructor({ topLayer, title, element }) {
    this.topLayer = topLayer;
    this.title = title;
    this.element = element;
    this.#holder = document.createDocumentFragment();
    this.#hidingSheet.replaceSync(HIDDEN);
    this.#dimmingSheet.replaceSync(DIMMED);
    this.#observer = new MutationObserver((records) => this.#follow(records));
    element.addEventListener("cancel", (event) => event.preventDefault());
    // A second Escape closes a dialog whatever its page does.
    element.addEventListener("close", () => this.#shown && this.topLayer.settle());
  }

  get shown() {
    return this.#shown;
  }

  /** The elements of the page, in the document and taken out of it. */
  get elements() {
    return [...this.#all(document), ...this.#all(this.#holder)];
  }

  /** Hide the content for a moment, without a trace. */
  dim() {
    this.#adopt(this.#dimmingSheet, true);
  }

  /**
   * Take the content away.
   * @param {string} title Of the tab, as the page's own may show some of the content.
   */
  show(title) {
    this.#adopt(this.#dimmingSheet, false);
    if (!this.#shown) {
      this.#shown = true;
      const restorePage = savePageState(this.#all(document));
      this.#adopt(this.#hidingSheet, true);
      const restoreBody = this.#overrideBody(document.body);
      this.#restore = () => {
        restorePage();
        this.title.hide();
        restoreBody();
      };
      for (const node of [...document.body.childNodes]) this.#take(node);
      this.#observer.observe(document, { subtree: true, childList: true, characterData: true });
    }
    this.topLayer.raise(this.element);
    this.#title = title;
    this.title.show(title);
  }

  /** Put the content back. */
  hide() {
    this.#adopt(this.#dimmingSheet, false);
    if (!this.#shown) return;
    this.#shown = false;
    this.#observer.disconnect();
    for (const [node, mark] of this.#away) {
      // A script may have removed the node meanwhile, or put it elsewhere.
      if (node.parentNode === this.#holder && mark.isConnected) mark.replaceWith(node);
      else mark.remove();
    }
    // A script has replaced all that was left in the page, and with it the marks: what remains may hold input.
    document.body.append(this.#holder);
    this.#away.clear();
    this.#adopt(this.#hidingSheet, false);
    this.topLayer.lower(this.element);
    this.#restore();
  }

  /** Remove the content for good. */
  discard() {
    this.#shown = false;
    this.#away.clear();
    this.#holder.replaceChildren();
    document.body.replaceChildren();
  }

  /**
   * Take what scripts, or a page that is still loading, add meanwhile; and keep the title.
   * @param {MutationRecord[]} records
   */
  #follow(records) {
    for (const node of records.flatMap((record) => [...record.addedNodes])) {
      if (node.parentNode === document.body) this.#take(/** @type {ChildNode} */ (node));
    }
    if (document.title === this.#title) return;
    // A script may keep its own title likewise. It wins after a hundred turns at once, or the tab would hang.
    const now = performance.now();
    this.#titleBudget = Math.max(this.#titleBudget, now) + 10;
    if (this.#titleBudget < now + 1000) this.title.show(this.#title);
  }

  /** @param {ChildNode} node */
  #take(node) {
    if (node.nodeType === Node.COMMENT_NODE) return;
    if (node instanceof Element && (node.matches(HARMLESS) || isFragile(node))) return;
    const mark = document.createComment("");
    node.replaceWith(mark);
    this.#holder.append(node);
    this.#away.set(node, mark);
  }

  /** Let scripts remove what was taken, and insert before it, as if it were in its place. */
  #overrideBody(/** @type {any} */ body) {
    body.removeChild = (/** @type {any} */ node) =>
      Node.prototype.removeChild.call(node?.parentNode === this.#holder ? this.#holder : body, node);
    body.insertBefore = (/** @type {any} */ node, /** @type {any} */ before) =>
      Node.prototype.insertBefore.call(body, node, this.#away.get(before) ?? before);
    return () => {
      delete body.removeChild;
      delete body.insertBefore;
    };
  }

  /** @param {ParentNode} root */
  #all(root) {
    return elementsIn(root, this.topLayer.host);
  }

  /**
   * @param {CSSStyleSheet} sheet
   * @param {boolean} on
   */
  #adopt(sheet, on) {
    const others = document.adoptedStyleSheets.filter((other) => other !== sheet);
    if (on !== document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = on ? [...others, sheet] : others;
  }
}

/** @param {Element} element */
function isFragile(element) {
  return [element, ...elementsIn(element)].some((inner) => inner.matches(FRAGILE));
}
