/** The client for a page's own bundle. Importing it starts nothing. */

import { makeDrafts } from "./drafts/index.js";
import { startWith } from "./start.js";

/**
 * Watch the page, which the tag `{% idlewatch %}` has prepared. Calling it again, in a page that has the client twice or swaps
 * its body, changes nothing.
 * @returns {IdleWatch | null} `window.idlewatch`; null on the page of an anonymous user.
 */
export function start() {
  return startWith(makeDrafts);
}
