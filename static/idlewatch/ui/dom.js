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
