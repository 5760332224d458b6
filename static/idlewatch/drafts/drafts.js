/** Keeps what the user types into marked forms on the server until it is sent. */

import { Timer } from "../core/clock.js";
import { Listeners } from "../observers/listeners.js";
import { read } from "./fields.js";
import { PrivateNames } from "./private_names.js";
import { Restorer } from "./restorer.js";
import { DraftServer } from "./server.js";

/** Seconds after the last input before a draft is saved. */
const TYPING_PAUSE = 2;
const MARKED = "form[data-idlewatch-draft]";
/** The longest name that the server takes for a form. */
const MAX_NAME_LENGTH = 100;
/** The status of an answer to a draft that the server does not keep. */
const TOO_LARGE = 413;

/**
 * @typedef {object} DraftOptions
 * @property {Window} window
 * @property {Clock} clock
 * @property {UnsavedInput} unsaved
 * @property {I18n} i18n
 * @property {{drafts?: string, draftsScript?: string, kept?: boolean, token: string, csrf: string, csrfHeader: string}} server
 * @property {(address: string, options: RequestInit) => Promise<Response>} fetch
 * @property {(text: string, choices: Record<string, () => void>) => void} offer
 */

/** Saves marked forms, restores them when the page is loaded, and deletes them when they are sent. */
export class Drafts {
  #listeners = new Listeners();
  #typing;
  #observer;
  #loaded = false;
  #names = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  /** The forms to save, with the page that they are on. */
  #changed = /** @type {Map<HTMLFormElement, string>} */ (new Map());
  /** What the server has of each form, as JSON. */
  #saved = /** @type {WeakMap<HTMLFormElement, string>} */ (new WeakMap());
  #saving = /** @type {WeakMap<HTMLFormElement, AbortController>} */ (new WeakMap());

  /** @param {DraftOptions} options */
  constructor({ window, clock, unsaved, i18n, server, fetch, offer }) {
    this.window = window;
    this.clock = clock;
    this.config = server;
    this.server = new DraftServer({ server, fetch });
    this.privateNames = new PrivateNames(window);
    this.restorer = new Restorer({
      window,
      unsaved,
      i18n,
      offer,
      delegate: {
        nameOf: (form) => this.#names.get(form),
        onRestored: (form) => this.#saved.set(form, JSON.stringify(read(form))),
        onChanged: (form) => this.#change(form),
        onDiscarded: (form) => this.#delete(form),
      },
    });
    this.#typing = new Timer(clock, () => this.save());
    this.#observer = new MutationObserver(() => this.#scan());
  }

  start() {
    if (!this.config.drafts) return;
    const { window } = this;
    const listen = (/** @type {string} */ types, /** @type {(event: any) => void} */ listener) =>
      this.#listeners.listen(window, types, listener, { capture: true });
    listen("input", this.#input);
    listen("submit reset idlewatch:sent", this.#send);
    listen("htmx:afterRequest", this.#sendByHtmx);
    listen("pagehide visibilitychange idlewatch:warned idlewatch:resumed", () => this.save());
    this.#observer.observe(window.document, { childList: true, subtree: true });
    this.privateNames.start();
    this.#scan();
  }

  stop() {
    this.#listeners.removeAll();
    this.#observer.disconnect();
    this.privateNames.stop();
    this.#typing.cancel();
  }

  /** Save what has changed. */
  save() {
    this.#typing.cancel();
    for (const [form, page] of this.#changed) void this.#save(form, page);
    this.#changed.clear();
  }

  /** Name new forms, restore them, and load the drafts once there is something to restore. */
  #scan() {
    this.privateNames.notePasswords();
    const forms = this.#forms;
    forms.forEach((form, index) => {
      if (!this.#names.has(form)) this.#names.set(form, nameOf(form, index));
    });
    this.restorer.restore(forms);
    if (this.#loaded || (forms.length === 0 && !this.config.kept)) return;
    this.#loaded = true;
    void this.#load();
  }

  async #load() {
    const kept = await this.server.load(this.#page);
    if (kept === null) return;
    this.restorer.load(kept);
    this.restorer.restore(this.#forms);
  }

  #input = (/** @type {Event} */ event) => {
    const field = /** @type {EventTarget & {form?: HTMLFormElement | null}} */ (event.composedPath()[0]);
    if (!event.isTrusted) return;
    this.restorer.touch(field);
    if (field.form) this.#change(field.form);
  };

  /** @param {HTMLFormElement} form */
  #change(form) {
    if (!this.#names.has(form)) return;
    this.#changed.set(form, this.#page);
    this.#typing.start(TYPING_PAUSE);
  }

  #send = (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    // A later listener may still prevent it.
    this.clock.after(0, () => {
      if (!event.defaultPrevented && form.getAttribute("method")?.toLowerCase() !== "dialog") this.#delete(form);
    });
  };

  #sendByHtmx = (/** @type {any} */ { detail }) => {
    if (detail.successful && detail.requestConfig?.verb !== "get") this.#delete(detail.elt);
  };

  /** @param {HTMLFormElement} form */
  #delete(form) {
    this.#changed.delete(form);
    this.#saved.delete(form);
    // The draft must not arrive after the request that deletes it.
    this.#saving.get(form)?.abort();
    for (const name of this.restorer.forget(form)) this.server.delete(this.#page, name);
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} page
   */
  async #save(form, page) {
    const fields = read(form);
    const text = JSON.stringify(fields);
    if (fields.length === 0 || text === this.#saved.get(form)) return;
    this.#saved.set(form, text);
    const name = this.#names.get(form) ?? "";
    this.restorer.add(name, fields);
    const controller = new AbortController();
    this.#saving.set(form, controller);
    const answer = await this.server.save({ page, form: name, fields }, controller.signal);
    if (answer?.ok || answer?.status === TOO_LARGE || this.#saved.get(form) !== text) return;
    // The next occasion tries again.
    this.#saved.delete(form);
    this.#changed.set(form, page);
  }

  get #forms() {
    return /** @type {HTMLFormElement[]} */ ([...this.window.document.querySelectorAll(MARKED)]);
  }

  get #page() {
    const { pathname, search } = this.window.location;
    return pathname + search;
  }
}

/**
 * Return a name by which the form is found when the page is loaded again.
 * @param {HTMLFormElement} form Fields of these names may hide its properties.
 * @param {number} index Among the marked forms.
 */
function nameOf(form, index) {
  const names = ["data-idlewatch-draft", "id", "name"].map((name) => form.getAttribute(name));
  return (names.find((name) => name) ?? String(index)).slice(0, MAX_NAME_LENGTH);
}
