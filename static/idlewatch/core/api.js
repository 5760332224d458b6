/** What the host's own scripts may use: `window.idlewatch`, and events on `document`. Its types are in `index.d.ts`. */

/**
 * Make the object that hosts use as `window.idlewatch`.
 * @param {Client} client
 * @returns {IdleWatch}
 */
export function makeApi(client) {
  return Object.freeze({
    /** Stay signed in; to be called for a person's doing. */
    extend: () => client.extend(),
    /**
     * Keep the session while work goes on that needs no input.
     * @param {string} label
     */
    hold: (label) => {
      if (typeof label !== "string" || label.trim() === "") {
        throw new TypeError(`idlewatch.hold() got ${describe(label)}; expected a label, like "Uploading 3 files".`);
      }
      return client.hold(label);
    },
    /** Where the session stands now, `remaining` included; null until the server has spoken. */
    get state() {
      return /** @type {IdleWatch["state"]} */ (client.state);
    },
  });
}

/** Tells the host's scripts, and hears whether they take over. */
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
   * @returns {boolean} False where a script shows a warning of its own.
   */
  warned(detail) {
    return this.#dispatch("idlewatch:warned", detail, true);
  }

  /**
   * @param {State} detail
   * @returns {boolean} False where a script takes the user on.
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
