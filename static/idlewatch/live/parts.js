/** The parts of the page's markup, by the names that its template gives them. */

/**
 * @param {ParentNode} root
 * @param {string} name
 */
export function partOf(root, name) {
  return /** @type {HTMLElement} */ (root.querySelector(`[data-idlewatch-part="${name}"]`));
}

/**
 * Write into a part; the same words again would be read out again.
 * @param {ParentNode} root
 * @param {string} name
 * @param {string} text
 */
export function write(root, name, text) {
  put(partOf(root, name), text);
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A button that can't be used just now keeps the keyboard's focus, which `disabled` would take from it.
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
