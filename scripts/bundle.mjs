/**
 * Build what pages load into static/idlewatch, or into the directory that is named: idlewatch.min.js and idlewatch.min.css
 * for every page, drafts.min.js for those that have something for drafts, live.min.js and live.min.css for the operators'
 * live page.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { minify } from "terser";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = "static/idlewatch";
const target = resolve(root, process.argv[2] ?? source);
const options = {
  absWorkingDir: root,
  outdir: target,
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
  "accept", "address", "after", "allow", "announce", "announcer", "answered", "any", "ask", "attempt", "backoff",
  "base", "begin", "callback", "cancel", "cap", "choices", "client", "clock", "config", "confirm", "context", "delegate",
  "departure", "dialog", "dim", "discard", "doubt", "drop", "duration", "element", "end", "events", "expectAnswer",
  "final", "flush", "follow", "forget", "fresh", "hide", "holds", "host", "hurry", "i18n", "interval", "isDoubtful",
  "isLeaving", "lasts", "leave", "leaving", "limit", "listen", "locale", "lower", "markup", "monotonic", "nameOf", "next",
  "notePasswords", "notice", "noticeTemplate", "offer", "openFrom", "overdue", "overlay", "parts", "polling", "present",
  "privateNames", "raise", "reachable", "received", "record", "recordActivity", "refuse", "releases", "removeAll", "renew", "repeat",
  "replaceTokens", "replay", "reporter", "reset", "restore", "restorer", "resume", "resumed", "returnFromCache", "root",
  "running", "sendLast", "server", "session", "settle", "shelf", "show", "shown", "signInChannel", "since", "spacing",
  "spread", "stable", "start", "stateNow", "stop", "suspend", "takeUnsent", "template", "tick", "timedOut", "topLayer",
  "touch", "transport", "unsaved", "up", "view", "visible", "wake", "wall", "warned", "wasUp", "websocket",
].join("|");

/** What makes the compressed script smaller. */
const COMPRESS = { passes: 4, pure_getters: true, unsafe_arrows: true, lhs_constants: false, hoist_funs: true };

const shortened = {
  ...options,
  mangleProps: new RegExp(`^(on[A-Z]|[A-Z_]+$|(${OWN})$)`),
  // The DOM's constants.
  reserveProps: /_NODE$/,
};
const { mangleCache } = await build({ ...shortened, entryPoints: { "idlewatch.min": `${source}/idlewatch.js` }, mangleCache: {} });
// What one script hands to the other has the same short names in both.
await build({ ...shortened, entryPoints: { "drafts.min": `${source}/drafts/index.js` }, mangleCache });
await build({ ...options, entryPoints: { "live.min": `${source}/live/live.js` } });
await build({ ...options, entryPoints: { "idlewatch.min": `${source}/idlewatch.css`, "live.min": `${source}/live/live.css` } });

for (const name of ["idlewatch", "drafts", "live"]) {
  const file = join(target, `${name}.min.js`);
  // It knows constants, and functions that are called once, across modules, where esbuild does not.
  const { code } = await minify(readFileSync(file, "utf8"), { module: true, ecma: 2022, compress: COMPRESS });
  writeFileSync(file, code);
}
