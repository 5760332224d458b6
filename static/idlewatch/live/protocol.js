/** The protocol of the live socket, as `idlewatch/live/frames.py` has it. */

/** Types of frames from the server. */
export const FRAME = Object.freeze({
  PAGE: "page",
  CHANGES: "changes",
  UNAVAILABLE: "unavailable",
  ERROR: "error",
});

/** Types of messages to the server. */
export const MESSAGE = Object.freeze({ WATCH: "watch", SEEN: "seen" });

/**
 * @typedef {object} Row One live session. Times are epoch seconds by the server's clock.
 * @property {string} id
 * @property {string} user
 * @property {string} impersonator The operator who acts as the user; empty without one.
 * @property {string} device In words; empty if unknown.
 * @property {string} address
 * @property {number} started
 * @property {number} seen
 * @property {number} tabs
 * @property {string | null} hold The label of its hold; null without one.
 * @property {"active" | "warned"} phase
 * @property {string | null} reason Why it is about to end, while warned.
 * @property {number | null} ends Null: never.
 * @property {boolean} mine Whether it is one of the operator's own.
 */

/** @typedef {{active: number, warned: number, connected: number}} Counts */
/** @typedef {[at: number, active: number, warned: number, ended: number]} SampleRow */

/**
 * @typedef {object} PageFrame
 * @property {"page"} type
 * @property {number} frame
 * @property {number} query
 * @property {number} now
 * @property {Counts} counts
 * @property {number} total
 * @property {boolean} bounded
 * @property {number} page
 * @property {number} pages
 * @property {Row[]} rows
 * @property {SampleRow[]} samples
 */

/**
 * @typedef {object} ChangesFrame
 * @property {"changes"} type
 * @property {number} frame
 * @property {number} query
 * @property {number} now
 * @property {Counts} [counts]
 * @property {number} [total]
 * @property {boolean} [bounded]
 * @property {number} [page]
 * @property {number} [pages]
 * @property {string[]} [order]
 * @property {Record<string, Partial<Row>>} [rows]
 * @property {SampleRow[]} [samples]
 */

/** @typedef {{type: "unavailable", frame: number}} UnavailableFrame */
/** @typedef {{type: "error", code: string, detail: string}} RefusalFrame */
/** @typedef {PageFrame | ChangesFrame | UnavailableFrame | RefusalFrame} LiveFrame */

/**
 * Parse a frame; null for anything else.
 * @param {unknown} text
 * @returns {LiveFrame | null}
 */
export function parse(text) {
  if (typeof text !== "string") return null;
  try {
    const frame = JSON.parse(text);
    return Object.values(FRAME).includes(frame?.type) ? frame : null;
  } catch {
    return null;
  }
}
