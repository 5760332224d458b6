/** The CSRF tokens in a page, which are out of date when its user has signed in again. */

/**
 * Replace the token in forms and in attributes of htmx.
 * @param {Iterable<Element>} elements
 * @param {string} csrf
 * @param {string} header The name of the header in which scripts send it.
 */
export function replaceTokens(elements, csrf, header) {
  const sent = new RegExp(`(["']${header}["']\\s*:\\s*["'])[^"']*`, "i");
  for (const element of elements) {
    if (element.matches("input[name=csrfmiddlewaretoken]")) /** @type {HTMLInputElement} */ (element).value = csrf;
    for (const attribute of element.attributes) {
      if (attribute.name.includes("hx-headers")) attribute.value = attribute.value.replace(sent, `$1${csrf}`);
    }
  }
}
