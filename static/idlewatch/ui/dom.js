/** The parts of a piece of markup, by the names that its template gives them. */

/**
 * @param {ParentNode} piece
 * @param {string} name
 */
export function partOf(piece, name) {
  return /** @type {HTMLElement} */ (piece.querySelector(`[data-idlewatch-part="${name}"]`));
}

/**
 * Write into a part, if it is there; the same words again would be read out again.
 * @param {ParentNode} piece
 * @param {string} name
 * @param {string} text
 */
export function write(piece, name, text) {
  const part = partOf(piece, name);
  if (part !== null && part.textContent !== text) part.textContent = text;
}
