import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_SELECTED, Selection } from "../../../static/idlewatch/live/selection.js";

test("a page, some of it, or all that match are selected", () => {
  const selection = new Selection();
  const page = ["a", "b", "c"];
  assert.equal(selection.share(page), "none");
  selection.set("a", true, page);
  assert.equal(selection.share(page), "some");
  selection.setPage(page, true);
  assert.equal(selection.share(page), "all");
  selection.setPage(["d"], true);
  assert.deepEqual(selection.ids, ["a", "b", "c", "d"]);
  selection.selectAll();
  assert.ok(selection.has("z") && !selection.empty);
  selection.set("b", false, page);
  assert.deepEqual([selection.all, selection.ids], [false, ["a", "c"]]);
});

test("selecting or clearing a page, after all that match were selected, leaves that page or nothing", () => {
  const selection = new Selection();
  selection.setPage(["a", "b"], true);
  for (const [page, selected, left] of [[["c", "d"], true, ["c", "d"]], [["c", "d"], false, []], [[], true, []]]) {
    selection.selectAll();
    selection.setPage(page, selected);
    assert.deepEqual([selection.all, selection.ids], [false, left]);
  }
  assert.ok(selection.empty);
});

test("a selection is full once it holds as many as the server takes, until one is taken out", () => {
  const selection = new Selection();
  selection.setPage(Array.from({ length: MAX_SELECTED - 1 }, (_, place) => `s${place}`), true);
  assert.equal(selection.full, false);
  selection.set("last", true, []);
  assert.equal(selection.full, true);
  selection.set("more", true, []);
  assert.deepEqual([selection.full, selection.has("more")], [true, false]);
  selection.set("s0", false, []);
  assert.equal(selection.full, false);
  selection.set("more", true, []);
  assert.equal(selection.full, true);
  selection.setPage(["one", "another"], true);
  assert.equal(selection.ids.length, MAX_SELECTED);
  selection.selectAll();
  assert.equal(selection.full, false, "all that match have no ids");
});
