/** Fakes of a document, its elements and its forms, which record their listeners and observers. */

/** The listeners, and the observers, that are there now. */
export const listeners = new Set();
export const observers = new Set();

class FakeObserver {
  constructor(callback) {
    this.callback = callback;
  }

  observe() {
    observers.add(this);
  }

  disconnect() {
    observers.delete(this);
  }
}

class Target extends EventTarget {
  addEventListener(type, listener, options = {}) {
    super.addEventListener(type, listener, options);
    const entry = { target: this, type, listener };
    listeners.add(entry);
    options.signal?.addEventListener("abort", () => listeners.delete(entry));
  }

  removeEventListener(type, listener, options) {
    super.removeEventListener(type, listener, options);
    const gone = [...listeners].filter((entry) => entry.target === this && entry.type === type && entry.listener === listener);
    for (const entry of gone) listeners.delete(entry);
  }
}

/** An element in which each selector finds an element of its own. */
export class FakeElement extends Target {
  nodeType = 1;
  hidden = false;
  textContent = "";
  dataset = {};
  clientWidth = 600;
  removed = false;
  nextElementSibling = null;
  children = [];
  #value = "";
  #attributes = new Map();
  #found = new Map();

  constructor(ownerDocument, attributes = {}) {
    super();
    this.ownerDocument = ownerDocument;
    for (const entry of Object.entries(attributes)) this.setAttribute(...entry);
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
  }

  get content() {
    return { cloneNode: () => ({ firstElementChild: new FakeElement(this.ownerDocument) }) };
  }

  get firstElementChild() {
    return this.children[0] ?? null;
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

  closest() {
    return null;
  }

  getAttribute(name) {
    return this.#attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.#attributes.set(name, value);
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

  close() {}
}

/** A field that records the events for frameworks; `marked` is an attribute of an element around it. */
export class FakeField extends FakeElement {
  received = [];
  disabled = false;
  readOnly = false;
  checked = false;
  defaultChecked = false;
  isConnected = true;

  constructor(name, value = "", { type = "text", marked = null, ...properties } = {}, attributes = {}) {
    super(null, attributes);
    Object.assign(this, { name, value, defaultValue: value, type, marked, ...properties });
    for (const received of ["input", "change"]) this.addEventListener(received, () => this.received.push(received));
  }

  matches(selector) {
    return selector === ":disabled" ? this.disabled : this.type !== "output";
  }

  closest(selector) {
    return selector === `[${this.marked}]` ? this : null;
  }

  click() {
    this.checked = this.type === "radio" || !this.checked;
    this.received.push("click");
  }
}

export class FakeSelect extends FakeField {
  constructor(name, options, chosen = [], { multiple = false } = {}) {
    super(name, "", { type: multiple ? "select-multiple" : "select-one", multiple });
    this.options = options.map((value) => ({ value, selected: chosen.includes(value) }));
    delete this.defaultValue;
  }

  get selectedOptions() {
    return this.options.filter(({ selected }) => selected);
  }
}

export class FakeForm extends FakeElement {
  constructor(fields = [], attributes = {}) {
    super(null, attributes);
    this.elements = fields;
    for (const field of fields) field.form = this;
  }
}

Object.assign(globalThis, {
  MutationObserver: FakeObserver,
  ResizeObserver: FakeObserver,
  HTMLFormElement: FakeForm,
  Node: { ELEMENT_NODE: 1 },
});

/** A window with a document in it. No listener and no observer of an earlier window is counted any more. */
export function fakeWindow(address = "https://site.example/live/") {
  listeners.clear();
  observers.clear();
  const document = Object.assign(new Target(), {
    visibilityState: "visible",
    activeElement: null,
    querySelectorAll: () => [],
    createElement: () => new FakeElement(document),
    createElementNS: () => new FakeElement(document),
  });
  const location = Object.assign(new URL(address), { reloads: 0, reload: () => (location.reloads += 1) });
  const history = { state: null, addresses: [], replaceState: (_state, _title, to) => history.addresses.push(to) };
  const window = Object.assign(new Target(), { document, location, history, fetch: () => new Promise(() => {}) });
  document.defaultView = window;
  return window;
}

/** Dispatch an event with members that no script can give it, such as `isTrusted`. */
export function dispatch(target, type, members = {}) {
  const event = new Event(type, { cancelable: true });
  for (const [name, value] of Object.entries(members)) Object.defineProperty(event, name, { value, configurable: true });
  target.dispatchEvent(event);
  return event;
}

/** Notify the observers, as after a change of the document. */
export function mutate() {
  for (const { callback } of observers) callback([]);
}
