import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../static/idlewatch/", import.meta.url);
const MODULES = readdirSync(FOLDER).filter((name) => name.endsWith(".js"));
const IMPORT = /^import \{ [\w, ]+ \} from "\.\/([\w.]+)";$/;

const read = (name) => readFileSync(new URL(name, FOLDER), "utf8");
const importsOf = (name) =>
  read(name)
    .split("\n")
    .map((line) => IMPORT.exec(line)?.[1])
    .filter((found) => found !== undefined);

test("imports have the one form that Django's hashed storage rewrites", () => {
  for (const name of MODULES) {
    for (const line of read(name).split("\n")) {
      // In comments too: the storage does not know what a comment is.
      if (/\bimport\b/.test(line)) assert.match(line, IMPORT, `${name}: ${line}`);
      assert.doesNotMatch(line, /^export .* from /, name);
    }
  }
});

test("modules import what is there, in no circle", () => {
  const depth = (name, path) => {
    assert.ok(!path.includes(name), `a circle: ${[...path, name].join(" → ")}`);
    assert.ok(MODULES.includes(name), `${path.at(-1)} imports ${name}`);
    for (const other of importsOf(name)) depth(other, [...path, name]);
  };
  for (const name of MODULES) depth(name, []);
});

test("[R27] nothing needs more than `default-src 'self'`", () => {
  const forbidden = /\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|\.style\b|createObjectURL|document\.write/;
  for (const name of MODULES) assert.doesNotMatch(read(name), forbidden, name);
});

test("[R23] the client reads no cookie and stores nothing", () => {
  for (const name of MODULES) assert.doesNotMatch(read(name), /\.cookie\b|localStorage|sessionStorage|indexedDB/, name);
});

test("the modules that decide know no document", () => {
  const pure = ["protocol", "clock", "timer", "backoff", "reporter", "holds", "session", "connection", "polling"];
  for (const name of [...pure, "link", "client", "words", "announcer"]) {
    const code = read(`${name}.js`).replace(/\/\*\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(code, /\b(document|window)\b/, name);
  }
});
