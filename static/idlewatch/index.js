/** The client of a page: reads what the server has put into the page, and builds the client. Importing it starts nothing. */

import { makeApi } from "./core/api.js";
import { PageClient } from "./page_client.js";

/**
 * Watch the page, which the tag `{% idlewatch %}` has prepared. Calling it again, in a page that has the client twice or swaps
 * its body, changes nothing.
 * @returns {IdleWatch | null} `window.idlewatch`; null on the page of an anonymous user.
 */
export function start() {
  if (!Object.hasOwn(window, "idlewatch")) {
    const outer = outerPage();
    if (outer !== null) {
      Object.defineProperty(window, "idlewatch", { get: () => outer.idlewatch });
      return window.idlewatch ?? null;
    }
    const template = document.getElementById("idlewatch-client");
    if (!(template instanceof HTMLTemplateElement)) return null;
    const markup = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const page = new PageClient(JSON.parse(template.dataset.config ?? "{}"), markup);
    // Listeners of the first event, which may come at once, use it.
    Object.defineProperty(window, "idlewatch", { value: makeApi(page.client) });
    page.start();
  }
  return window.idlewatch ?? null;
}

/** Return the nearest page around this frame that has the client and may be read: it serves its frames too. */
function outerPage() {
  for (let view = window; view !== view.parent; ) {
    view = /** @type {any} */ (view.parent);
    try {
      if (Object.hasOwn(view, "idlewatch") || view.document.getElementById("idlewatch-client") !== null) return view;
    } catch {
      return null;
    }
  }
  return null;
}
