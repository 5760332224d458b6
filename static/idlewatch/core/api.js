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
        throw new TypeError(`idlewatch.hold() got ${JSON.stringify(label)}; expected a label.`);
      }
      return client.hold(label);
    },
    /** The state as of now, `remaining` included; null before the first frame. */
    get state() {
      return /** @type {IdleWatch["state"]} */ (client.state);
    },
  });
}

/**
 * Return what dispatches the client's events. A script may cancel the warning, to show its own, and the end, to lead the user on.
 * @param {Document} document
 * @returns {Events}
 */
export function eventsOn(document) {
  return (name, detail) => {
    const cancelable = name === "warned" || name === "ended";
    return document.dispatchEvent(new CustomEvent(`idlewatch:${name}`, { detail, cancelable }));
  };
}
