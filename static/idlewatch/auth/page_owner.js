/** Whose page this is: someone may have signed in since it was made. */

import { Timer } from "../core/clock.js";
import { PAGE } from "../core/protocol.js";
import { request } from "../transport/request.js";

/** Milliseconds. */
const ANSWER_TIMEOUT = 10_000;
/** The status of an answer to a browser without a signed-in user. */
const UNAUTHENTICATED = 401;

/**
 * @typedef {object} PageOwnerDelegate
 * @property {(csrf: string) => void} onRenewed The page's user has signed in again: forms need this token.
 * @property {() => void} onForeign Another user has signed in.
 */

/** Asks the server what the page is to the session that the browser has now. */
export class PageOwner {
  #asking = false;
  #askAgain = false;
  #retry;

  /**
   * @param {object} options
   * @param {{page: string, csrf: string, csrfHeader: string, token: string}} options.server Its tokens are replaced by
   *   the new session's.
   * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
   * @param {PageOwnerDelegate} options.delegate
   * @param {Clock} options.clock
   * @param {Backoff} options.backoff Of the attempts until the server answers.
   */
  constructor({ server, fetch, delegate, clock, backoff }) {
    this.backoff = backoff;
    this.#retry = new Timer(clock, () => this.ask());
    this.server = server;
    this.fetch = fetch;
    this.delegate = delegate;
  }

  /** Ask until the server answers; once more if the answer under way may be out of date. */
  async ask() {
    this.#askAgain = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    this.#retry.cancel();
    const answer = await this.#fetchAnswer().catch(() => null);
    this.#asking = false;
    if (answer === null) this.#retry.start(this.backoff.next() + 1);
    else this.#apply(answer);
    if (this.#askAgain) await this.ask();
  }

  async #fetchAnswer() {
    const response = await request(this, this.server.page, undefined, { signal: AbortSignal.timeout(ANSWER_TIMEOUT) });
    return response.ok || response.status === UNAUTHENTICATED ? response.json() : null;
  }

  /** @param {{page: string, csrf: string, token: string}} answer */
  #apply({ page, csrf, token }) {
    this.backoff.reset();
    if (page === PAGE.FOREIGN) this.delegate.onForeign();
    if (page !== PAGE.RENEWED) return;
    Object.assign(this.server, { csrf, token });
    this.delegate.onRenewed(csrf);
  }
}
