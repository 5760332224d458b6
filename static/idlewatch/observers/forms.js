/** Forms that are being sent: they hold the session, and their input is no longer unsaved. */

import { Listeners } from "./listeners.js";
import { isThisTab } from "./navigation.js";

/**
 * Seconds that a form without files holds the session at most. An upload may take hours. But an answer that is a download
 * leaves the page where it is, without any event.
 */
const HOLD_LIMIT = 600;

/** Holds the session from a form's `submit` until the page goes away. */
export class FormObserver {
  #listeners = new Listeners();
  #releases = /** @type {Set<() => void>} */ (new Set());

  /**
   * @param {object} options
   * @param {Window} options.window
   * @param {Clock} options.clock
   * @param {string} options.label What operators see.
   * @param {(label: string) => HoldHandle} options.hold
   * @param {UnsavedInput} options.unsaved
   */
  constructor({ window, clock, label, hold, unsaved }) {
    this.window = window;
    this.clock = clock;
    this.label = label;
    this.hold = hold;
    this.unsaved = unsaved;
  }

  start() {
    this.#listeners.listen(this.window, "submit", this.#submit);
    this.#listeners.listen(this.window, "reset idlewatch:sent", (event) => this.unsaved.forget(event.target));
  }

  stop() {
    this.#listeners.removeAll();
    this.release();
  }

  /** Release what is held: the page goes away. */
  release() {
    for (const release of this.#releases) release();
    this.#releases.clear();
  }

  #submit = (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    // The client's own form signs out.
    if (form.closest(".idlewatch") !== null) return;
    // A later listener may still prevent it.
    this.clock.after(0, () => {
      if (event.defaultPrevented) return;
      this.unsaved.forget(form);
      if (leavesPage(form, event.submitter)) this.#holdFor(form);
    });
  };

  /** @param {HTMLFormElement} form */
  #holdFor(form) {
    const handle = this.hold(this.label);
    const cancel = sendsFiles(form) ? () => {} : this.clock.after(HOLD_LIMIT, () => handle.release());
    this.#releases.add(() => {
      cancel();
      handle.release();
    });
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter Its attributes override the form's.
 */
function leavesPage(form, submitter) {
  const target = submitter?.getAttribute("formtarget") ?? form.getAttribute("target") ?? "";
  const method = submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "";
  return isThisTab(target) && method.toLowerCase() !== "dialog";
}

/** @param {HTMLFormElement} form */
function sendsFiles(form) {
  const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[type=file]"));
  return [...inputs].some((input) => input.files?.length);
}
