/** Fakes of a document and its elements, which record their listeners. */

/** The listeners that are there now. */
export const listeners = new Set();

class Target extends EventTarget {
  addEventListener(type, listener, options = {}) {
    super.addEventListener(type, listener, options);
    const entry = { target: this, type };
    listeners.add(entry);
    options.signal?.addEventListener("abort", () => listeners.delete(entry));
  }
}

/** An element in which each selector finds an element of its own. */
export class FakeElement extends Target {
  hidden = false;
  textContent = "";
  value = "";
  dataset = {};
  clientWidth = 600;
  removed = false;
  children = [];
  #attributes = new Map();
  #found = new Map();

  constructor(ownerDocument) {
    super();
    this.ownerDocument = ownerDocument;
  }

  get content() {
    return { cloneNode: () => ({ firstElementChild: new FakeElement(this.ownerDocument) }) };
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get nextElementSibling() {
    return null;
  }

  querySelector(selector) {
    if (!this.#found.has(selector)) this.#found.set(selector, new FakeElement(this.ownerDocument));
    return this.#found.get(selector);
  }

  part(name) {
    return this.querySelector(`[data-idlewatch-part="${name}"]`);
  }

  querySelectorAll() {
    return [];
  }

  getAttribute(name) {
    return this.#attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.#attributes.set(name, value);
  }

  removeAttribute(name) {
    this.#attributes.delete(name);
  }

  toggleAttribute(name, force) {
    if (force) this.#attributes.set(name, "");
    else this.#attributes.delete(name);
  }

  append(...children) {
    this.children.push(...children);
  }

  insertBefore(child) {
    this.children.push(child);
  }

  insertCell() {
    return new FakeElement(this.ownerDocument);
  }

  replaceChildren(...children) {
    this.children = children;
  }

  remove() {
    this.removed = true;
  }

  contains(element) {
    return element === this;
  }

  focus() {
    this.ownerDocument.activeElement = this;
  }

  showModal() {}

  close() {}
}

/** A window with a document in it. */
export function fakeWindow(address = "https://site.example/live/") {
  const document = Object.assign(new Target(), {
    visibilityState: "visible",
    activeElement: null,
    querySelectorAll: () => [],
    createElement: () => new FakeElement(document),
    createElementNS: () => new FakeElement(document),
  });
  const { search, pathname } = new URL(address);
  const location = { search, pathname, reloads: 0, reload: () => (location.reloads += 1) };
  const history = { state: null, addresses: [], replaceState: (_state, _title, to) => history.addresses.push(to) };
  return Object.assign(new Target(), { document, location, history, fetch: () => new Promise(() => {}) });
}
