/** Whose page this is: somebody may have signed in since it was made. */

import { PAGE } from "../core/protocol.js";
import { Timer } from "../core/clock.js";
import { request } from "../transport/request.js";

/** Milliseconds for an answer. */
const PATIENCE = 10_000;
/** The status that says that nobody is signed in. */
const NOBODY = 401;

/**
 * @typedef {object} PageOwnerDelegate
 * @property {(csrf: string) => void} onRenewed Its user has signed in anew: forms need this token.
 * @property {() => void} onForeign Somebody else has.
 */

/** Asks the server what the page is to the session that the browser has now. */
export class PageOwner {
  #asking = false;
  #again = false;
  #retry;

  /**
   * @param {object} options
   * @param {{page: string, csrf: string, token: string}} options.server Its tokens are replaced by the new session's.
   * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
   * @param {PageOwnerDelegate} options.delegate
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff How long to wait where nobody answers.
   */
  constructor({ server, fetch, delegate, clock, backoff }) {
    this.backoff = backoff;
    this.#retry = new Timer(clock, () => this.ask());
    this.server = server;
    this.fetch = fetch;
    this.delegate = delegate;
  }

  /** Ask until somebody answers. */
  async ask() {
    this.#again = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    this.#retry.clear();
    const answer = await this.#answer().catch(() => null);
    this.#asking = false;
    if (answer === null) this.#retry.set(this.backoff.next() + 1);
    else this.#take(answer);
    if (this.#again) await this.ask();
  }

  async #answer() {
    const response = await request(this, this.server.page, undefined, { signal: AbortSignal.timeout(PATIENCE) });
    return response.ok || response.status === NOBODY ? response.json() : null;
  }

  /** @param {{page: string, csrf: string, token: string}} answer */
  #take({ page, csrf, token }) {
    this.backoff.reset();
    if (page === PAGE.FOREIGN) this.delegate.onForeign();
    if (page !== PAGE.RENEWED) return;
    Object.assign(this.server, { csrf, token });
    this.delegate.onRenewed(csrf);
  }
}
