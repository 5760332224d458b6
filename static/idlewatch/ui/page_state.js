/** What a page forgets when its content leaves the document, and how it gets that back. */

import { focused } from "./top_layer.js";

/** What the browser shows in its top layer; leaving the document removes it from there. */
const ON_TOP = "dialog:modal, :popover-open";

/**
 * Save scroll positions, dialogs and popovers, selection and focus.
 * @param {Iterable<Element>} elements
 * @returns {() => void} Restores them.
 */
export function savePageState(elements) {
  const focus = focused(document);
  const reopens = [];
  const scrolls = [];
  for (const element of elements) {
    const { scrollLeft: left, scrollTop: top } = element;
    if (left !== 0 || top !== 0) scrolls.push(() => element.scrollTo({ left, top, behavior: "instant" }));
    if (element.matches(ON_TOP)) reopens.push(() => reopen(/** @type {HTMLDialogElement} */ (element)));
  }
  const restores = [...reopens, ...scrolls, saveSelection(), () => focus?.focus({ preventScroll: true })];
  return () => restores.forEach((restore) => restore());
}

/** @param {HTMLDialogElement} element Or a popover. */
function reopen(element) {
  // What has stayed in the document is still on top.
  if (element.matches(ON_TOP)) return;
  if (!element.open) {
    element.showPopover();
    return;
  }
  // Only a closed dialog can be made modal, and `close()` would dispatch an event to the page's scripts.
  element.removeAttribute("open");
  element.showModal();
}

function saveSelection() {
  const { anchorNode, anchorOffset, focusNode, focusOffset } = document.getSelection() ?? {};
  return () => {
    if (anchorNode?.isConnected && focusNode?.isConnected) {
      document.getSelection()?.setBaseAndExtent(anchorNode, anchorOffset ?? 0, focusNode, focusOffset ?? 0);
    }
  };
}
