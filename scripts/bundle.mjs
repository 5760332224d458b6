/**
 * Build what pages load into static/idlewatch, or into the directory that is named: idlewatch.min.js and idlewatch.min.css
 * for every page, live.min.js and live.min.css for the operators' live page.
 */

import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const source = "static/idlewatch";
const options = {
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  outdir: process.argv[2] ?? source,
  allowOverwrite: true,
  bundle: true,
  minify: true,
  format: "esm",
  // Older browsers lack popovers and `URL.canParse`.
  target: ["es2022", "chrome120", "firefox125", "safari17"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  pure: ["Object.freeze"],
};

/** Properties that only the client's own modules use, which may be shortened: callbacks, constants, and these. */
const OWN = [
  "accept", "address", "allow", "announcer", "answered", "attempt", "backoff", "begin", "clock", "confirm", "delegate",
  "departure", "doubt", "events", "expectAnswer", "final", "flush", "follow", "forget", "fresh", "holds", "hurry",
  "i18n", "interval", "isDoubtful", "isLeaving", "lasts", "leave", "leaving", "limit", "lower", "markup", "monotonic",
  "nameOf", "notePasswords", "noticeTemplate", "offer", "openFrom", "overdue", "overlay", "parts", "polling", "present",
  "privateNames", "raise", "reachable", "received", "record", "recordActivity", "refuse", "renew", "replaceTokens",
  "replay", "reporter", "restore", "restorer", "resume", "returnFromCache", "running", "sendLast", "server", "session",
  "settle", "shelf", "signInChannel", "since", "spacing", "spread", "stable", "stateNow", "suspend", "takeUnsent",
  "timedOut", "topLayer", "touch", "transport", "unsaved", "visible", "wasUp", "websocket",
].join("|");

await build({
  ...options,
  entryPoints: { "idlewatch.min": `${source}/idlewatch.js` },
  mangleProps: new RegExp(`^(on[A-Z]|[A-Z_]+$|(${OWN})$)`),
  // The DOM's constants.
  reserveProps: /_NODE$/,
});
await build({ ...options, entryPoints: { "live.min": `${source}/live/live.js` } });
await build({ ...options, entryPoints: { "idlewatch.min": `${source}/idlewatch.css`, "live.min": `${source}/live/live.css` } });
