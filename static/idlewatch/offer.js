/** A word beside the content, with something to choose. */

import { Notice } from "./notice.js";
import { partOf } from "./parts.js";

/**
 * Say it until the user has chosen, or dismissed it.
 * @param {object} options
 * @param {HTMLElement} options.piece What an operator's word looks like.
 * @param {Stage} options.stage
 * @param {string} options.text
 * @param {Record<string, () => void>} options.choices By what their buttons say.
 */
export function offer({ piece, stage, text, choices }) {
  const element = /** @type {HTMLElement} */ (piece.cloneNode(true));
  element.setAttribute("role", "status");
  const notice = new Notice(element, stage);
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
