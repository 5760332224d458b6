import assert from "node:assert/strict";
import { test } from "node:test";

import { UnsavedInput } from "../../../static/idlewatch/observers/unsaved.js";

globalThis.Node ??= { ELEMENT_NODE: 1 };

const field = (ignored, changes) => ({
  nodeType: Node.ELEMENT_NODE,
  isConnected: true,
  closest: (selector) => (ignored && selector === "[data-idlewatch-ignore]" ? {} : null),
  ...changes,
});
const typed = (ignored = false) => field(ignored, { type: "search", value: "ada", defaultValue: "" });
const ticked = (ignored = false) => field(ignored, { type: "checkbox", checked: true, defaultChecked: false });

function after(...fields) {
  const unsaved = new UnsavedInput();
  for (const each of fields) unsaved.record({ composedPath: () => [each] });
  return unsaved.any;
}

test("typed text and ticked boxes are unsaved", () => {
  assert.deepEqual([after(typed()), after(ticked()), after()], [true, true, false]);
});

test("fields that the page ignores are not", () => {
  assert.equal(after(typed(true), ticked(true)), false);
  assert.equal(after(typed(true), typed()), true);
});

test("neither is text that such a field had before the client ran", () => {
  const unsaved = new UnsavedInput();
  unsaved.find({ querySelectorAll: () => [typed(true)] });
  assert.equal(unsaved.any, false);
  unsaved.find({ querySelectorAll: () => [typed()] });
  assert.equal(unsaved.any, true);
});
