/** What an operator does: asked of the server in steps, so that it may take long, be stopped, and go on after a failure. */

/** @typedef {"end" | "end_users" | "notice"} ActionName */
/** @typedef {{watches: string[]} | {query: {search: string, phase: string, connected: string}}} Chosen */
/** @typedef {{sessions: number, users: number, own: number, before: number}} Counted */

/**
 * @typedef {object} Outcome What was done so far.
 * @property {number} done Sessions.
 * @property {number} own Those of the operator's own that were left alone.
 * @property {number} reached Tabs.
 * @property {number} open
 */

/** The server did not do it, and says why, if it does. */
export class Refusal extends Error {
  /**
   * @param {string} detail
   * @param {boolean} lasting Trying again is of no use.
   */
  constructor(detail, lasting) {
    super(detail);
    this.lasting = lasting;
  }
}

/** The server as far as actions are concerned. */
export class ActionServer {
  /**
   * @param {object} options
   * @param {typeof window.fetch} options.fetch
   * @param {{count: string, act: string}} options.addresses
   * @param {I18n} options.i18n
   * @param {() => string} options.token Django's, against forgery.
   */
  constructor({ fetch, addresses, i18n, token }) {
    this.fetch = fetch;
    this.addresses = addresses;
    this.i18n = i18n;
    this.token = token;
  }

  /**
   * Ask how many sessions it would be.
   * @param {ActionName} action
   * @param {Chosen} chosen
   * @returns {Promise<Counted>}
   */
  count(action, chosen) {
    return this.#post(this.addresses.count, { action, ...chosen });
  }

  /**
   * Do the next step.
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
    const headers = { "Content-Type": "application/json", "X-CSRFToken": this.token() };
    /** @type {Response} */
    let response;
    try {
      response = await this.fetch(address, { method: "POST", headers, body: JSON.stringify(message) });
    } catch {
      throw new Refusal(this.i18n.text("unreachable"), false);
    }
    const answer = await this.#read(response);
    if (response.ok && answer !== null) return answer;
    const away = response.status >= 500;
    throw new Refusal(answer?.detail ?? this.i18n.text(away ? "unreachable" : "refused"), !away);
  }

  /**
   * Read an answer; null where it is no JSON, as a proxy's page.
   * @param {Response} response
   */
  async #read(response) {
    try {
      return await response.json();
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      // The network was lost on the way.
      throw new Refusal(this.i18n.text("unreachable"), false);
    }
  }
}

/** One action on many sessions, step by step. */
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
   * @param {number} options.before Epoch seconds: sessions that begin later are not meant.
   * @param {string} [options.text] Of a notice.
   */
  constructor({ server, action, chosen, before, text }) {
    this.server = server;
    this.message = { action, ...chosen, before, ...(text === undefined ? {} : { text }) };
  }

  get stopped() {
    return this.#stopped;
  }

  /** Begin no further step. */
  stop() {
    this.#stopped = true;
  }

  /**
   * Go on to the end, or until it is stopped; after a failure, call it again.
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
        // Who wanted it stopped came too late.
        this.#stopped = false;
        return;
      }
      this.#cursor = answer.cursor;
    }
  }
}
