/** The CSRF tokens in a page, which are out of date when its user has signed in again. */

/** A token in what htmx sends with each request. */
const TOKEN = /(["']X-CSRFToken["']\s*:\s*["'])[^"']*/i;

/**
 * Replace the token in forms and in attributes of htmx.
 * @param {Iterable<Element>} elements
 * @param {string} csrf
 */
export function replaceTokens(elements, csrf) {
  for (const element of elements) {
    if (element.matches("input[name=csrfmiddlewaretoken]")) /** @type {HTMLInputElement} */ (element).value = csrf;
    for (const attribute of element.attributes) {
      if (attribute.name.includes("hx-headers")) attribute.value = attribute.value.replace(TOKEN, `$1${csrf}`);
    }
  }
}
