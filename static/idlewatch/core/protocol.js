/** The protocol, as `idlewatch/core/protocol.py` has it: close codes, frames from the server, messages to it. */

/** Close codes of the socket (RFC 6455 §7.4). */
export const CLOSE = /** @type {const} */ ({
  CLOSED: 1000,
  GONE: 1001,
  NAVIGATED: 4000,
  BAD_MESSAGES: 4400,
  ENDED: 4401,
  FORBIDDEN: 4403,
  TOO_SLOW: 4408,
  TOO_MANY: 4429,
  GOING_AWAY: 4503,
});

/** Phases of a session. */
export const PHASE = /** @type {const} */ ({ ACTIVE: "active", WARNED: "warned", ENDED: "ended" });

/** Reasons why a session ends: those that the page gives by itself. */
export const REASON = /** @type {const} */ ({ IDLE: "idle", LOGOUT: "logout" });

/** Reasons why the server refuses a message: the one that the client acts on. */
export const ERROR = /** @type {const} */ ({ HOLD_REFUSED: "hold_refused" });

/** What the page is to the browser's present session, if that is not the one that the page was made in. */
export const PAGE = /** @type {const} */ ({ RENEWED: "renewed", FOREIGN: "foreign" });

/** Types of frames from the server. */
export const FRAME = /** @type {const} */ ({ STATE: "state", NOTICE: "notice", ERROR: "error" });

/** Types of messages to the server. */
export const MESSAGE = /** @type {const} */ ({
  ACTIVITY: "activity",
  EXTEND: "extend",
  HOLD: "hold",
  RELEASE: "release",
  SYNC: "sync",
});

/** Limits of messages: the server refuses what exceeds them. Times are seconds, lengths code points. */
export const LIMIT = /** @type {const} */ ({ AGO: 86400, HOLD_ID: 64, HOLD_LABEL: 120, HOLD_LIFE: 60 });

/**
 * @typedef {object} StateFrame
 * @property {"state"} type
 * @property {number} version Grows with each change.
 * @property {"active" | "warned" | "ended"} phase
 * @property {string | null} reason
 * @property {number} remaining Seconds until the end if nothing happens.
 * @property {boolean} extendable False when the absolute timeout is near.
 * @property {boolean} held
 * @property {number} idle_timeout Seconds.
 * @property {number} warn_before Seconds.
 * @property {number} heartbeat Seconds.
 * @property {string} [login_url] In an ended frame.
 * @property {string} [page] One of `PAGE`.
 */

/** @typedef {{type: "notice", id: string, text: string}} NoticeFrame */
/** @typedef {{type: "error", code: string, detail: string}} ErrorFrame */
/** @typedef {StateFrame | NoticeFrame | ErrorFrame} Frame */

/**
 * @typedef {{type: "activity", ago: number} | {type: "extend"} | {type: "hold", id: string, label: string}
 *   | {type: "release", id: string} | {type: "sync"}} Message
 */

/**
 * Return an address that names the session for which the page was made.
 * @param {string} path
 * @param {string} token
 */
export function addressed(path, token) {
  return `${path}${path.includes("?") ? "&" : "?"}for=${token}`;
}

/**
 * Parse a frame; null for anything else, such as a proxy's error page.
 * @param {unknown} text
 * @returns {Frame | null}
 */
export function parse(text) {
  if (typeof text !== "string") return null;
  try {
    const frame = JSON.parse(text);
    return isFrame(frame) ? frame : null;
  } catch {
    return null;
  }
}

/**
 * @param {any} frame
 * @returns {frame is Frame}
 */
function isFrame(frame) {
  const type = frame?.type;
  return type === FRAME.STATE ? isState(frame) : type === FRAME.NOTICE || type === FRAME.ERROR;
}

/** @param {any} frame */
function isState(frame) {
  const phases = [PHASE.ACTIVE, PHASE.WARNED, PHASE.ENDED];
  const numbers = [frame.version, frame.remaining, frame.idle_timeout, frame.warn_before, frame.heartbeat];
  return phases.includes(frame.phase) && numbers.every(Number.isFinite);
}
