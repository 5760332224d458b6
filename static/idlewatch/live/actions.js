/** Actions on sessions: requested in steps, so that a long one can be stopped, and continued after a failure. */

/** @typedef {"end" | "end_users" | "notice"} ActionName */
/** @typedef {{watches: string[]} | {query: {search: string, phase: string, connected: string}}} Chosen */
/** @typedef {{sessions: number, users: number, own: number, before: number}} Counted */

/**
 * @typedef {object} Outcome The sum of the steps so far.
 * @property {number} done Sessions.
 * @property {number} own The operator's own sessions, which were left alone.
 * @property {number} reached Tabs that got the notice.
 * @property {number} open Tabs that were open.
 */

/** Raised when the server did not do it; the message is for the operator. */
export class Refusal extends Error {
  /**
   * @param {string} detail
   * @param {boolean} permanent Whether a retry is pointless.
   */
  constructor(detail, permanent) {
    super(detail);
    this.permanent = permanent;
  }
}

/** Sends actions to the server. */
export class ActionServer {
  /**
   * @param {object} options
   * @param {typeof window.fetch} options.fetch
   * @param {{count: string, act: string}} options.addresses
   * @param {LiveI18n} options.i18n
   * @param {() => string} options.token The CSRF token.
   * @param {string} options.csrfHeader The name of the header in which it is sent.
   */
  constructor({ fetch, addresses, i18n, token, csrfHeader }) {
    this.fetch = fetch;
    this.addresses = addresses;
    this.i18n = i18n;
    this.token = token;
    this.csrfHeader = csrfHeader;
  }

  /**
   * Count the sessions that an action would concern.
   * @param {ActionName} action
   * @param {Chosen} chosen
   * @returns {Promise<Counted>}
   */
  count(action, chosen) {
    return this.#post(this.addresses.count, { action, ...chosen });
  }

  /**
   * Do one step.
   * @param {object} message
   * @returns {Promise<{done: number, own: number, tabs?: {reached: number, open: number}, cursor: string | null}>}
   */
  act(message) {
    return this.#post(this.addresses.act, message);
  }

  /**
   * @param {string} address
   * @param {object} message
   */
  async #post(address, message) {
    const headers = { "Content-Type": "application/json", [this.csrfHeader]: this.token() };
    /** @type {Response} */
    let response;
    try {
      response = await this.fetch(address, { method: "POST", headers, body: JSON.stringify(message) });
    } catch {
      throw this.#unreachable();
    }
    const answer = await this.#read(response);
    if (response.ok && answer !== null) return answer;
    const down = response.status >= 500;
    throw new Refusal(answer?.detail ?? this.i18n.text(down ? "unreachable" : "refused"), !down);
  }

  /**
   * Read an answer; null if it is not JSON, as a proxy's error page.
   * @param {Response} response
   */
  async #read(response) {
    try {
      return await response.json();
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      // The connection broke off during the answer.
      throw this.#unreachable();
    }
  }

  #unreachable() {
    return new Refusal(this.i18n.text("unreachable"), false);
  }
}

/** One action on any number of sessions. */
export class Run {
  #cursor = "";
  #stopped = false;
  /** @type {Outcome} */
  outcome = { done: 0, own: 0, reached: 0, open: 0 };

  /**
   * @param {object} options
   * @param {ActionServer} options.server
   * @param {ActionName} options.action
   * @param {Chosen} options.chosen
   * @param {number} options.before Epoch seconds: later sessions are left alone.
   * @param {string} [options.text] Of a notice.
   */
  constructor({ server, action, chosen, before, text }) {
    this.server = server;
    this.message = { action, ...chosen, before, ...(text === undefined ? {} : { text }) };
  }

  get stopped() {
    return this.#stopped;
  }

  /** Stop before the next step. */
  stop() {
    this.#stopped = true;
  }

  /**
   * Go on until all is done or `stop` is called. Call it again after a failure.
   * @param {(outcome: Outcome) => void} onStep
   */
  async go(onStep) {
    this.#stopped = false;
    while (!this.#stopped) {
      const answer = await this.server.act({ ...this.message, cursor: this.#cursor });
      this.outcome = {
        done: this.outcome.done + answer.done,
        own: this.outcome.own + answer.own,
        reached: this.outcome.reached + (answer.tabs?.reached ?? 0),
        open: this.outcome.open + (answer.tabs?.open ?? 0),
      };
      onStep(this.outcome);
      if (answer.cursor === null) {
        // A stop during the last step is too late.
        this.#stopped = false;
        return;
      }
      this.#cursor = answer.cursor;
    }
  }
}
