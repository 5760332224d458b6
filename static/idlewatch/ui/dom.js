/** The parts of a piece of markup, by the names that its template gives them. */

/**
 * Find a part.
 * @param {ParentNode} root
 * @param {string} name
 */
export function partOf(root, name) {
  return /** @type {HTMLElement} */ (root.querySelector(`[data-idlewatch-part="${name}"]`));
}

/**
 * Set the text of a part; a project's own template may have left it out.
 * @param {ParentNode} root
 * @param {string} name
 * @param {string} text
 */
export function setPartText(root, name, text) {
  const part = partOf(root, name);
  if (part !== null) setText(part, text);
}

/**
 * Set a text unless it is there already: screen readers would read the same text out again.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Mark a button as usable or not. The attribute `disabled` would take the keyboard's focus from it.
 * @param {Element} button
 * @param {boolean} enabled
 */
export function enable(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}

/** @param {Element} button */
export function isEnabled(button) {
  return button.getAttribute("aria-disabled") !== "true";
}

/**
 * Iterate over all elements below a node, in any same-origin frame, and in any open shadow root but one.
 * @param {ParentNode} root
 * @param {Element} [own] The host of the client's own shadow root.
 * @returns {Generator<Element>}
 */
export function* elementsIn(root, own) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    const inner = /** @type {HTMLIFrameElement} */ (element).contentDocument ?? element.shadowRoot;
    if (inner && element !== own) yield* elementsIn(inner);
  }
}
