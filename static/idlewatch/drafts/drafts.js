/** What the user is typing, kept on the server until it is sent; and what was sent too late, offered back. */

import { Timer } from "../core/clock.js";
import { differs } from "../observers/unsaved.js";
import { request } from "../transport/request.js";
import { fieldsOf, fill, fitting, notePassword, privateNames, read } from "./fields.js";

/** Seconds after the last input. */
const REST = 2;
const MARKED = "form[data-idlewatch-draft]";
/** The longest name that the server takes for a form. */
const LONGEST_NAME = 100;
/** In which a form names, to the server, what must not be kept if it is refused. */
const PRIVATE = "_idlewatch_private";
/** Characters up to which a request may outlive the page: browsers bound what does, 64 KiB in all. */
const OUTLIVES = 20_000;
const TOO_LARGE = 413;

/**
 * @typedef {object} Kept
 * @property {string} form
 * @property {"draft" | "refused"} kind
 * @property {number} saved Epoch seconds.
 * @property {Entry[]} fields
 * @property {string} action Where a refused form was sent.
 */

/** Saves marked forms, puts them back on load, and forgets them when they are sent. */
export class Drafts {
  #stopping = new AbortController();
  #rest;
  #observer;
  #asked = false;
  #found = /** @type {Kept[]} */ ([]);
  #names = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  #restored = /** @type {WeakSet<HTMLFormElement>} */ (new WeakSet());
  #refused = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  #touched = /** @type {WeakSet<EventTarget>} */ (new WeakSet());
  #changed = /** @type {Map<HTMLFormElement, string>} */ (new Map());
  #last = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  #saving = /** @type {WeakMap<HTMLFormElement, AbortController>} */ (new WeakMap());

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {UnsavedInput} options.unsaved
   * @param {I18n} options.i18n
   * @param {{drafts: string | null, kept: boolean, token: string, csrf: string}} options.server
   * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
   * @param {(text: string, choices: Record<string, () => void>) => void} options.offer
   */
  constructor({ window, clock, unsaved, i18n, server, fetch, offer }) {
    this.window = window;
    this.clock = clock;
    this.unsaved = unsaved;
    this.i18n = i18n;
    this.server = server;
    this.fetch = fetch;
    this.offer = offer;
    this.#rest = new Timer(clock, () => this.save());
    this.#observer = new MutationObserver(() => this.#look());
  }

  start() {
    if (!this.server.drafts) return;
    this.#stopping = new AbortController();
    const options = { capture: true, signal: this.#stopping.signal };
    const { window } = this;
    const { document } = window;
    window.addEventListener("input", this.#input, options);
    for (const type of ["submit", "reset", "idlewatch:sent"]) window.addEventListener(type, this.#sent, options);
    window.addEventListener("htmx:afterRequest", this.#sentByHtmx, options);
    window.addEventListener("formdata", this.#name, options);
    for (const type of ["pagehide", "visibilitychange", "idlewatch:warned", "idlewatch:resumed"]) {
      window.addEventListener(type, () => this.save(), options);
    }
    this.#observer.observe(document, { childList: true, subtree: true });
    this.#look();
  }

  stop() {
    this.#stopping.abort();
    this.#observer.disconnect();
    this.#rest.clear();
  }

  /** Save what has changed. */
  save() {
    this.#rest.clear();
    for (const [form, page] of this.#changed) void this.#save(form, page);
    this.#changed.clear();
  }

  /** Take in the forms that have come, and ask once what is kept of them. */
  #look() {
    const { document } = this.window;
    document.querySelectorAll("input[type=password]").forEach(notePassword);
    const forms = this.#marked;
    forms.forEach((form, index) => {
      if (!this.#names.has(form)) this.#names.set(form, nameOf(form, index));
    });
    if (this.#found.length > 0) this.#giveBack(forms);
    if (this.#asked || (forms.length === 0 && !this.server.kept)) return;
    this.#asked = true;
    void this.#ask();
  }

  async #ask() {
    const answer = await request(this, `${this.server.drafts}?page=${encodeURIComponent(this.#page)}`).catch(() => null);
    if (!answer?.ok) return;
    this.#found = (await answer.json().catch(() => ({}))).drafts ?? [];
    this.#giveBack(this.#marked);
  }

  /** @param {HTMLFormElement[]} forms */
  #giveBack(forms) {
    for (const kept of this.#found.filter(({ kind }) => kind === "refused")) this.#offerBack(kept);
    const changed = forms.filter((form) => !this.#restored.has(form) && this.#restore(form));
    if (changed.length === 0) return;
    this.offer(this.i18n.text("restored"), {
      [this.i18n.text("discard")]: () => {
        for (const form of changed) HTMLFormElement.prototype.reset.call(form);
      },
    });
  }

  /**
   * @param {HTMLFormElement} form
   * @returns {boolean} Whether it is another now.
   */
  #restore(form) {
    this.#restored.add(form);
    const draft = this.#found.find(({ kind, form: name }) => kind === "draft" && name === this.#names.get(form));
    // What was sent is what its user had in the end.
    if (draft === undefined || this.#refused.has(form)) return false;
    const own = fieldsOf(form).filter((field) => this.#touched.has(field) || ("defaultValue" in field && differs(field)));
    const changed = fill(form, draft.fields, (name) => own.some((field) => field.name === name));
    if (own.length === 0) this.#last.set(form, JSON.stringify(read(form)));
    this.unsaved.find(form);
    return changed.length > 0;
  }

  /** @param {Kept} kept */
  #offerBack(kept) {
    const { document, location } = this.window;
    const form = fitting(document.forms, kept, location.href);
    if (form === null || this.#refused.has(form)) return;
    this.#refused.set(form, kept.form);
    this.offer(this.i18n.text("not_sent"), {
      [this.i18n.text("put_back")]: () => {
        const [first] = fill(form, kept.fields);
        first?.focus();
        this.unsaved.find(form);
        this.#change(form);
      },
      [this.i18n.text("discard")]: () => this.#forget(form),
    });
  }

  #input = (/** @type {Event} */ event) => {
    const field = /** @type {EventTarget & {form?: HTMLFormElement | null}} */ (event.composedPath()[0]);
    if (!event.isTrusted) return;
    this.#touched.add(field);
    if (field.form) this.#change(field.form);
  };

  /** @param {HTMLFormElement} form */
  #change(form) {
    if (!this.#names.has(form)) return;
    this.#changed.set(form, this.#page);
    this.#rest.set(REST);
  }

  #sent = (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    // Other listeners may still prevent it: the verdict is in when all have run.
    this.clock.after(0, () => {
      if (!event.defaultPrevented && form.getAttribute("method")?.toLowerCase() !== "dialog") this.#forget(form);
    });
  };

  #sentByHtmx = (/** @type {any} */ { detail }) => {
    if (detail.successful && detail.requestConfig?.verb !== "get") this.#forget(detail.elt);
  };

  /** @param {HTMLFormElement} form */
  #forget(form) {
    this.#changed.delete(form);
    this.#last.delete(form);
    // It must not arrive after the word that it is not wanted any more.
    this.#saving.get(form)?.abort();
    for (const names of [this.#names, this.#refused]) {
      const name = names.get(form);
      if (name === undefined) continue;
      this.#found = this.#found.filter((kept) => kept.form !== name);
      void this.#post({ page: this.#page, form: name, fields: null }).catch(() => {});
    }
    this.#refused.delete(form);
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} page
   */
  async #save(form, page) {
    const fields = read(form);
    const text = JSON.stringify(fields);
    if (fields.length === 0 || text === this.#last.get(form)) return;
    this.#last.set(form, text);
    const name = this.#names.get(form) ?? "";
    // A page may make the form anew before it is sent; the first of a name is the newest.
    this.#found.unshift({ kind: "draft", form: name, fields, action: "", saved: 0 });
    const controller = new AbortController();
    this.#saving.set(form, controller);
    const answer = await this.#post({ page, form: name, fields }, controller.signal).catch(() => null);
    if (answer?.ok || answer?.status === TOO_LARGE || this.#last.get(form) !== text) return;
    // The next occasion tries again.
    this.#last.delete(form);
    this.#changed.set(form, page);
  }

  /** The server, which sees a refused form alone, can't tell what is private in it. */
  #name = (/** @type {FormDataEvent} */ { target, formData }) => {
    const form = /** @type {HTMLFormElement} */ (target);
    const { href, origin } = this.window.location;
    const action = form.getAttribute("action") ?? "";
    if (form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (!URL.canParse(action, href) || new URL(action, href).origin !== origin) return;
    for (const name of new Set(privateNames(form))) formData.append(PRIVATE, name);
  };

  /**
   * @param {{page: string, form: string, fields: Entry[] | null}} message
   * @param {AbortSignal} [signal]
   */
  #post(message, signal) {
    const keepalive = JSON.stringify(message).length < OUTLIVES;
    return request(this, this.server.drafts ?? "", message, { keepalive, signal });
  }

  get #marked() {
    return /** @type {HTMLFormElement[]} */ ([...this.window.document.querySelectorAll(MARKED)]);
  }

  get #page() {
    const { pathname, search } = this.window.location;
    return pathname + search;
  }
}

/**
 * Name a form as the same one will be named when the page comes again.
 * @param {HTMLFormElement} form Its own properties may be hidden by fields of these names.
 * @param {number} index Among those that are marked.
 */
function nameOf(form, index) {
  const names = ["data-idlewatch-draft", "id", "name"].map((name) => form.getAttribute(name));
  return (names.find((name) => name) ?? String(index)).slice(0, LONGEST_NAME);
}
