/** A word beside the content, with something to choose. */

import { partOf } from "./dom.js";
import { Notice } from "./notice.js";

/**
 * Say it until the user has chosen, or dismissed it.
 * @param {object} options
 * @param {HTMLElement} options.piece What an operator's word looks like.
 * @param {TopLayer} options.topLayer
 * @param {string} options.text
 * @param {Record<string, () => void>} options.choices By what their buttons say.
 */
export function showNoticeChoices({ piece, topLayer, text, choices }) {
  const element = /** @type {HTMLElement} */ (piece.cloneNode(true));
  element.setAttribute("role", "status");
  const notice = new Notice(element, topLayer);
  const dismiss = partOf(element, "dismiss");
  for (const [label, choose] of Object.entries(choices)) {
    const button = /** @type {HTMLElement} */ (dismiss.cloneNode());
    button.dataset.idlewatchPart = "choice";
    button.textContent = label;
    button.addEventListener("click", () => {
      notice.hide();
      choose();
    });
    dismiss.before(button);
  }
  notice.show({ text });
}
