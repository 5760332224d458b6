/** What the project's own scripts may use: `window.idlewatch`, and events on `document`. `index.d.ts` has its types. */

/**
 * Make `window.idlewatch`.
 * @param {Client} client
 * @returns {IdleWatch}
 */
export function makeApi(client) {
  return Object.freeze({
    /** Extend the session: the user has chosen to stay. */
    extend: () => client.extend(),
    /**
     * Hold the session for work that needs no input.
     * @param {string} label
     */
    hold: (label) => {
      if (typeof label !== "string" || label.trim() === "") {
        throw new TypeError(`idlewatch.hold() got ${describe(label)}; expected a label, like "Uploading 3 files".`);
      }
      return client.hold(label);
    },
    /** The state as of now, `remaining` included; null before the first frame. */
    get state() {
      return /** @type {IdleWatch["state"]} */ (client.state);
    },
  });
}

/** Dispatches the client's events, some of which a script may cancel. */
export class DocumentEvents {
  /** @param {Document} document */
  constructor(document) {
    this.document = document;
  }

  /** @param {State} detail */
  state(detail) {
    this.#dispatch("idlewatch:state", detail, false);
  }

  /**
   * @param {State} detail
   * @returns {boolean} False if a script shows its own warning.
   */
  warned(detail) {
    return this.#dispatch("idlewatch:warned", detail, true);
  }

  /**
   * @param {State} detail
   * @returns {boolean} False if a script leads the user on.
   */
  ended(detail) {
    return this.#dispatch("idlewatch:ended", detail, true);
  }

  /**
   * The user has signed in again in place, and the content is back.
   * @param {State} detail
   */
  resumed(detail) {
    this.#dispatch("idlewatch:resumed", detail, false);
  }

  /**
   * @param {string} name
   * @param {State} detail
   * @param {boolean} cancelable
   */
  #dispatch(name, detail, cancelable) {
    return this.document.dispatchEvent(new CustomEvent(name, { detail, cancelable }));
  }
}

/** @param {unknown} value */
function describe(value) {
  return typeof value === "string" ? "an empty string" : value === null ? "null" : typeof value;
}
