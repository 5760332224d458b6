import assert from "node:assert/strict";
import { test } from "node:test";

import { DraftsOnDemand } from "../../../static/idlewatch/drafts/on_demand.js";
import { fakeWindow, mutate, observers } from "../dom.mjs";
import { settle } from "../support.mjs";

const SCRIPT = "data:text/javascript,export const makeDrafts = (context) => context.made()";

/** A page of a site with drafts. */
function opened({ needed = false, ...server } = {}) {
  const page = { needed, calls: [] };
  const drafts = { start: () => page.calls.push("start"), stop: () => page.calls.push("stop") };
  globalThis.document = Object.assign(fakeWindow().document, { querySelector: () => (page.needed ? {} : null) });
  const made = () => page.calls.push("made") && drafts;
  const context = { made, server: { drafts: "/drafts/", draftsScript: SCRIPT, kept: false, ...server } };
  page.drafts = new DraftsOnDemand(context);
  page.drafts.start();
  return page;
}

for (const [name, open] of [
  ["has something for them", () => opened({ needed: true })],
  ["may have to offer what was kept", () => opened({ kept: true })],
]) {
  test(`the script for drafts is loaded by a page that ${name}`, async () => {
    const page = open();
    await settle();
    mutate();
    await settle();
    assert.deepEqual([page.calls, observers.size], [["made", "start"], 0]);
    page.drafts.stop();
    assert.equal(page.calls.at(-1), "stop");
  });
}

test("a page loads it once there is something for it", async () => {
  const page = opened();
  mutate();
  await settle();
  assert.deepEqual(page.calls, []);
  page.needed = true;
  mutate();
  await settle();
  assert.deepEqual(page.calls, ["made", "start"]);
});

test("drafts that were stopped while their script was loaded stay stopped", async () => {
  const page = opened({ needed: true });
  page.drafts.stop();
  await settle();
  assert.deepEqual(page.calls, []);
});

test("no other page loads it, and a script that is not there does no harm", async () => {
  const without = opened({ needed: true, drafts: undefined });
  assert.equal(observers.size, 0);
  const failing = opened({ needed: true, draftsScript: "data:text/plain,none" });
  await settle();
  assert.deepEqual([without.calls, failing.calls], [[], []]);
  failing.drafts.stop();
});
