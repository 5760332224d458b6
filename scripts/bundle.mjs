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
  "allow", "announcer", "attempt", "backoff", "clock", "delegate", "departure", "events", "expectAnswer", "holds",
  "hurry", "i18n", "isDoubtful", "isLeaving", "leaving", "monotonic", "nameOf", "notePasswords", "noticeTemplate",
  "openFrom", "overdue", "overlay", "polling", "privateNames", "reachable", "record", "recordActivity",
  "replaceTokens", "reporter", "restore", "restorer", "returnFromCache", "running", "sendLast", "server", "session",
  "settle", "shelf", "signInChannel", "spacing", "stateNow", "takeUnsent", "timedOut", "topLayer", "transport",
  "unsaved", "wasUp", "websocket",
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
