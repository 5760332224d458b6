/** When the client looks at the session again. */

import { PHASE } from "./protocol.js";

/** Seconds between two polls during the warning. */
const WARNED_POLL_EVERY = 2;
/** Seconds between two refreshes while nothing is due: the next one notices that the machine has slept. */
const REFRESH_EVERY = 30;

/**
 * Return the seconds between two polls.
 * @param {StateFrame | null} frame
 * @param {number} heartbeat
 */
export function pollInterval(frame, heartbeat) {
  return frame?.phase === PHASE.WARNED ? WARNED_POLL_EVERY : heartbeat;
}

/**
 * Return the seconds until the next refresh: each full second of a countdown, or the next change that is due.
 * @param {State} state
 * @param {boolean} overdue Whether a change is due already.
 * @param {number} heartbeat
 */
export function untilRefresh({ phase, remaining, warn_before: warnBefore, hidden }, overdue, heartbeat) {
  if (phase === PHASE.WARNED && remaining > 0) return remaining % 1 || 1;
  if (hidden || overdue) return 1;
  return Math.min(REFRESH_EVERY, heartbeat, Math.max(1, remaining - warnBefore));
}
