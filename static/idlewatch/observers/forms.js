/** Forms that are being sent: they hold the session, and what they send is saved. */

/**
 * Seconds that a form without files holds at most. An upload may take hours; but an answer that is a download leaves
 * the page where it is, unseen, and must not hold the session for as long as holds may last.
 */
const LONGEST = 600;

/** Holds from a form's `submit` until the page goes. */
export class FormObserver {
  #stopping = new AbortController();
  #handles = /** @type {Set<HoldHandle>} */ (new Set());

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
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.window.addEventListener("submit", this.#submit, { signal });
    for (const type of ["reset", "idlewatch:sent"]) {
      this.window.addEventListener(type, (event) => this.unsaved.settled(event.target), { signal });
    }
  }

  stop() {
    this.#stopping.abort();
    this.release();
  }

  /** Let go of what is held for forms: the page goes away. */
  release() {
    for (const handle of this.#handles) handle.release();
    this.#handles.clear();
  }

  #submit = (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    // The client's own form logs out.
    if (form.closest(".idlewatch") !== null) return;
    // Other listeners may still prevent it: the verdict is in when all have run.
    this.clock.after(0, () => {
      if (!event.defaultPrevented) this.unsaved.settled(form);
      if (!event.defaultPrevented && leavesPage(form, event.submitter)) this.#holdFor(form);
    });
  };

  /** @param {HTMLFormElement} form */
  #holdFor(form) {
    const handle = this.hold(this.label);
    this.#handles.add(handle);
    if (!sendsFiles(form)) this.clock.after(LONGEST, () => handle.release());
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter Its own attributes come before the form's.
 */
function leavesPage(form, submitter) {
  const target = submitter?.getAttribute("formtarget") ?? form.getAttribute("target") ?? "";
  const method = submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "";
  return ["", "_self", "_top", "_parent"].includes(target.toLowerCase()) && method.toLowerCase() !== "dialog";
}

/** @param {HTMLFormElement} form */
function sendsFiles(form) {
  const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[type=file]"));
  return [...inputs].some((input) => (input.files?.length ?? 0) > 0);
}
