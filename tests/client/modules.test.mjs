import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { test } from "node:test";

const FOLDER = new URL("../../static/idlewatch/", import.meta.url);
const MODULES = readdirSync(FOLDER, { recursive: true }).filter((name) => name.endsWith(".js") && !name.endsWith(".min.js"));
const IMPORT = /^import \{ [\w, ]+ \} from "(\.\.?\/[\w./]+)";$/;
/** Folders without a module that touches the page, and the modules in other folders that do not either. */
const PURE_FOLDERS = ["core", "transport", "auth"];
const PURE_MODULES = [
  ...["ui/announcer", "ui/i18n"],
  ...["actions", "chart_data", "protocol", "query", "rows", "selection", "socket", "time", "dates", "results", "action_texts"].map((name) => `live/${name}`),
];

const read = (name) => readFileSync(new URL(name, FOLDER), "utf8");
const importsOf = (name) =>
  read(name)
    .split("\n")
    .map((line) => IMPORT.exec(line)?.[1])
    .filter((found) => found !== undefined)
    .map((path) => join(dirname(name), path));

test("imports have the one form that Django's hashed storage rewrites", () => {
  for (const name of MODULES) {
    for (const line of read(name).split("\n")) {
      // In comments too: the storage does not know what a comment is.
      if (/\bimport\b(?!\(\/)/.test(line)) assert.match(line, IMPORT, `${name}: ${line}`);
      assert.doesNotMatch(line, /^export .* from /, name);
    }
  }
});

test("modules import existing modules, without a cycle", () => {
  const depth = (name, path) => {
    assert.ok(!path.includes(name), `a cycle: ${[...path, name].join(" → ")}`);
    assert.ok(MODULES.includes(name), `${path.at(-1)} imports ${name}`);
    for (const other of importsOf(name)) depth(other, [...path, name]);
  };
  for (const name of MODULES) depth(name, []);
});

test("every module is part of a bundle", () => {
  const reached = new Set();
  const reach = (name) => {
    if (reached.has(name)) return;
    reached.add(name);
    importsOf(name).forEach(reach);
  };
  ["idlewatch.js", "index.js", "drafts/index.js", "live/live.js"].forEach(reach);
  assert.deepEqual([...reached].sort(), [...MODULES].sort());
});

test("[R27] nothing needs more than `default-src 'self'`", () => {
  const forbidden = /\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|\.style\b|createObjectURL|document\.write/;
  for (const name of MODULES) assert.doesNotMatch(read(name), forbidden, name);
});

test("[R23] the client reads no cookie and stores nothing but how many pages of a tab it has left", () => {
  for (const name of MODULES) {
    assert.doesNotMatch(read(name), /\.cookie\b|localStorage|indexedDB/, name);
    if (name !== "ui/departure.js") assert.doesNotMatch(read(name), /sessionStorage/, name);
  }
});

test("modules that decide do not touch the page", () => {
  const pure = MODULES.filter((name) => PURE_FOLDERS.includes(dirname(name)));
  for (const name of [...pure, ...PURE_MODULES.map((each) => `${each}.js`)]) {
    if (name === "core/api.js") continue; // It dispatches the document's events.
    const code = read(name).replace(/\/\*\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(code, /\b(document|window)\b/, name);
  }
});
