import assert from "node:assert/strict";
import { test } from "node:test";

import { UnsavedInput } from "../../../static/idlewatch/observers/unsaved.js";
import { FakeElement, FakeField, FakeForm, FakeSelect } from "../dom.mjs";

const IGNORED = "data-idlewatch-ignore";
const typed = (marked) => new FakeField("q", "ada", { defaultValue: "", marked });
const ticked = (marked) => new FakeField("q", "on", { type: "checkbox", checked: true, marked });
const input = (field) => ({ type: "input", composedPath: () => [field] });
const act = { type: "pointerdown" };

globalThis.Element = FakeElement;

function page(...fields) {
  return { querySelectorAll: () => fields };
}

function after(...fields) {
  const unsaved = new UnsavedInput(page());
  for (const field of fields) unsaved.record(input(field));
  return unsaved.any;
}

test("typed text and ticked boxes are unsaved, but not in fields that the page ignores", () => {
  assert.deepEqual([after(typed()), after(ticked()), after()], [true, true, false]);
  assert.deepEqual([after(typed(IGNORED), ticked(IGNORED)), after(typed(IGNORED), typed())], [false, true]);
});

test("so is text that a field had before the client ran", () => {
  const fields = [typed(IGNORED)];
  const unsaved = new UnsavedInput(page(...fields));
  unsaved.find(page(...fields));
  assert.equal(unsaved.any, false);
  const own = [typed()];
  const other = new UnsavedInput(page(...own));
  other.find(page(...own));
  assert.equal(other.any, true);
});

test("what a picker has written before the client ran into fields of its own is not", () => {
  const field = new FakeField("", "2026", { type: "number", defaultValue: "" });
  const unsaved = new UnsavedInput(page(field));
  unsaved.find(page(field));
  assert.equal(unsaved.any, false);
});

test("what an editor writes by itself is unsaved, though it prevents the event that says so", () => {
  const editor = { nodeType: 1, isConnected: true, closest: () => null };
  const field = new FakeField("q", "ada");
  const unsaved = new UnsavedInput(page(field));
  unsaved.record({ ...input(field), type: "beforeinput" });
  assert.equal(unsaved.any, false);
  unsaved.record({ ...input(editor), type: "beforeinput" });
  assert.equal(unsaved.any, true);
});

const date = () => new FakeField("date");
const FILLS = {
  "a date that a script writes": [date, (field) => (field.value = "2026-11-29")],
  "a hidden key": [() => new FakeField("key", "", { type: "hidden" }), (field) => (field.value = "7")],
  "a box that a script ticks": [() => new FakeField("all", "on", { type: "checkbox" }), (field) => (field.checked = true)],
  "a choice that moves to another list": [
    () => Object.assign(new FakeSelect("chosen", ["1"], [], { multiple: true }), { isConnected: true }),
    (field) => field.options.push({ value: "2", selected: true }),
  ],
};

for (const [name, [make, fill]] of Object.entries(FILLS)) {
  test(`${name} for the user is unsaved, without an event`, () => {
    const field = make();
    const unsaved = new UnsavedInput(page(field));
    unsaved.record(act);
    assert.equal(unsaved.any, false);
    fill(field);
    unsaved.record(act);
    assert.equal(unsaved.any, true);
  });
}

test("what scripts fill before the user acts is not, nor what they write into fields that the page ignores", () => {
  const [field, ignored] = [date(), new FakeField("clock", "", { marked: IGNORED })];
  const unsaved = new UnsavedInput(page(field, ignored));
  field.value = "2026-11-29";
  unsaved.record({ type: "pointermove" });
  unsaved.record(act);
  ignored.value = "12:00";
  assert.equal(unsaved.any, false);
});

test("a form that was sent is compared with what it held then", () => {
  const field = date();
  const form = new FakeForm([field]);
  const unsaved = new UnsavedInput(page(field));
  unsaved.record(act);
  field.value = "2026-11-29";
  unsaved.forget(form);
  unsaved.record(act);
  assert.equal(unsaved.any, false);
  field.value = "2026-11-30";
  assert.equal(unsaved.any, true);
});
