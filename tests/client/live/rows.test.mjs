import assert from "node:assert/strict";
import { test } from "node:test";

import { Rows } from "../../../static/idlewatch/live/rows.js";

const row = (id, changes = {}) => ({ id, user: id, tabs: 1, phase: "active", ends: 100, ...changes });
const ids = (rows) => rows.shown.map(({ row: { id }, gone }) => (gone ? `${id}†` : id));

function filled(...names) {
  const rows = new Rows();
  rows.replace(names.map((name) => row(name)), true);
  return rows;
}

test("rows change, come, go and move as the server says", () => {
  const rows = filled("a", "b");
  rows.change({ rows: { a: { tabs: 2 }, c: row("c") }, order: ["c", "a"] });
  assert.deepEqual(ids(rows), ["c", "a"]);
  assert.equal(rows.get("a").tabs, 2);
  assert.equal(rows.get("a").user, "a");
  assert.equal(rows.get("b"), undefined);
  assert.equal(rows.pending, 0);
});

test("while the order is paused, values change, and rows that have left are marked", () => {
  const rows = filled("a", "b", "c");
  rows.paused = true;
  rows.change({ rows: { b: { tabs: 3 }, d: row("d") }, order: ["d", "c", "b"] });
  assert.deepEqual(ids(rows), ["a†", "b", "c"]);
  assert.equal(rows.shown[1].row.tabs, 3);
  assert.equal(rows.pending, 4, "one left, one came, two changed places");
  rows.settle();
  assert.deepEqual(ids(rows), ["d", "c", "b"]);
  assert.equal(rows.pending, 0);
});

test("a page that the operator asked for is shown at once; one that comes after an outage is paused", () => {
  const rows = filled("a", "b");
  rows.paused = true;
  rows.replace([row("c"), row("a")], false);
  assert.deepEqual(ids(rows), ["a", "b†"]);
  rows.replace([row("c"), row("a")], true);
  assert.deepEqual(ids(rows), ["c", "a"]);
});

test("a pause of hours keeps no more than is shown", () => {
  const rows = filled("a");
  rows.paused = true;
  for (let turn = 0; turn < 1000; turn += 1) rows.change({ rows: { [turn]: row(String(turn)) }, order: [String(turn)] });
  assert.equal(rows.get("500"), undefined);
  assert.equal(rows.get("a").user, "a");
});

test("an unknown row in the order is left out", () => {
  const rows = filled("a", "b");
  rows.change({ order: ["b", "unknown", "a"] });
  assert.deepEqual(ids(rows), ["b", "a"]);
  assert.deepEqual([rows.ids, rows.pending], [["b", "a"], 0]);
  rows.paused = true;
  rows.change({ order: ["unknown", "b"] });
  assert.deepEqual([ids(rows), rows.pending], [["b", "a†"], 1]);
  rows.settle();
  assert.deepEqual(ids(rows), ["b"]);
});
