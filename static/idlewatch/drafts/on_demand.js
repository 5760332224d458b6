/** Drafts, whose script most pages need not load. */

/** What they are for: marked forms, and private fields, whose names go with a form that is sent. */
const NEEDED = "[data-idlewatch-draft],[data-idlewatch-private],[type=password],[autocomplete*='-']";

/** Loads and starts the drafts once the page has something for them. */
export class DraftsOnDemand {
  #drafts = /** @type {Drafts | null} */ (null);
  /** @type {boolean | undefined} */
  #started;
  #observer = new MutationObserver(() => this.#look());

  /** @param {DraftContext} context */
  constructor(context) {
    this.context = context;
  }

  start() {
    if (!this.context.server.drafts) return;
    this.#started = true;
    this.#observer.observe(document, { childList: true, subtree: true });
    this.#look();
  }

  stop() {
    this.#started = false;
    this.#observer.disconnect();
    this.#drafts?.stop();
  }

  #look() {
    const { server } = this.context;
    if (!server.kept && document.querySelector(NEEDED) === null) return;
    this.#observer.disconnect();
    // Static files may be anywhere, and under other names. Without this one, nothing typed is kept until the next page.
    import(/** @type {string} */ (server.draftsScript)).then(({ makeDrafts }) => {
      if (!this.#started) return;
      this.#drafts = /** @type {Drafts} */ (makeDrafts(this.context));
      this.#drafts.start();
    }, () => {});
  }
}
