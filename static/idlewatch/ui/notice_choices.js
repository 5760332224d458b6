/** A notice with something to choose. */

import { partOf } from "./dom.js";
import { Notice } from "./notice.js";

/**
 * Show a notice until the user has chosen, or dismissed it.
 * @param {object} options
 * @param {HTMLElement} options.template The markup of an operator's message.
 * @param {TopLayer} options.topLayer
 * @param {string} options.text
 * @param {Record<string, () => void>} options.choices By the text of their buttons.
 */
export function showNoticeChoices({ template, topLayer, text, choices }) {
  const element = /** @type {HTMLElement} */ (template.cloneNode(true));
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
