/** The client of a page: reads what the server has put into the page, and builds the client. */

import { makeApi } from "./core/api.js";
import { PageClient } from "./page_client.js";

/**
 * Watch the page, unless it is watched already.
 * @param {MakeDrafts} makeDrafts
 * @returns {IdleWatch | null}
 */
export function startWith(makeDrafts) {
  if (!Object.hasOwn(window, "idlewatch")) {
    const outer = outerPage();
    if (outer !== null) {
      Object.defineProperty(window, "idlewatch", { get: () => outer.idlewatch });
      return window.idlewatch ?? null;
    }
    const template = document.getElementById("idlewatch-client");
    if (!(template instanceof HTMLTemplateElement)) return null;
    const markup = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const page = new PageClient(JSON.parse(template.getAttribute("data-config") ?? "{}"), markup, makeDrafts);
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
