import assert from "node:assert/strict";
import { test } from "node:test";

import { UnsavedInput } from "../../../static/idlewatch/observers/unsaved.js";
import { FakeField } from "../dom.mjs";

const IGNORED = "data-idlewatch-ignore";
const typed = (marked) => new FakeField("q", "ada", { defaultValue: "", marked });
const ticked = (marked) => new FakeField("q", "on", { type: "checkbox", checked: true, marked });

function after(...fields) {
  const unsaved = new UnsavedInput();
  for (const field of fields) unsaved.record({ composedPath: () => [field] });
  return unsaved.any;
}

test("typed text and ticked boxes are unsaved, but not in fields that the page ignores", () => {
  assert.deepEqual([after(typed()), after(ticked()), after()], [true, true, false]);
  assert.deepEqual([after(typed(IGNORED), ticked(IGNORED)), after(typed(IGNORED), typed())], [false, true]);
});

test("so is text that a field had before the client ran", () => {
  const unsaved = new UnsavedInput();
  unsaved.find({ querySelectorAll: () => [typed(IGNORED)] });
  assert.equal(unsaved.any, false);
  unsaved.find({ querySelectorAll: () => [typed()] });
  assert.equal(unsaved.any, true);
});
