import assert from "node:assert/strict";
import { test } from "node:test";

import { InputObserver } from "../../../static/idlewatch/observers/input.js";
import { dispatch, fakeWindow } from "../dom.mjs";
import { FakeClock } from "../support.mjs";

function setUp() {
  const clock = new FakeClock();
  const window = fakeWindow();
  const acts = [];
  new InputObserver({ window, clock, onActivity: ({ type }) => acts.push(type) }).start();
  const act = (type, members) => dispatch(window, type, { isTrusted: true, ...members });
  return { clock, window, acts, act };
}

test("what only a user can do is activity, unless a script dispatched it", () => {
  const types = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "beforeinput", "input", "click", "paste", "drop"];
  const { acts, act } = setUp();
  for (const type of types) act(type, { isTrusted: false });
  for (const type of ["focus", "visibilitychange", "mouseover", "pointerover", "load"]) act(type);
  assert.deepEqual(acts, []);
  for (const type of types) act(type);
  assert.deepEqual(acts, types);
});

test("scrolling counts for a second after input, not after itself", () => {
  const { clock, acts, act } = setUp();
  act("scroll");
  assert.deepEqual(acts, []);
  act("wheel");
  clock.advance(0.9);
  act("scroll");
  clock.advance(0.2);
  act("scroll");
  assert.deepEqual(acts, ["wheel", "scroll"]);
});

test("a pointer counts when it moves on the screen, not while it rests or when it first appears", () => {
  const { acts, act } = setUp();
  act("pointermove", { screenX: 10, screenY: 10 });
  act("pointermove", { screenX: 10, screenY: 10 });
  act("pointermove", { screenX: 90, screenY: 90, isTrusted: false });
  act("pointermove", { screenX: 10, screenY: 10 });
  assert.deepEqual(acts, []);
  act("pointermove", { screenX: 11, screenY: 10 });
  assert.deepEqual(acts, ["pointermove"]);
});

test("a focused frame is observed, through shadow trees, unless it is of another origin", () => {
  const { window, acts, act } = setUp();
  const frame = (view) => ({ matches: () => true, contentDocument: view && { defaultView: view } });
  const inner = fakeWindow();
  window.document.activeElement = { shadowRoot: { activeElement: frame(inner) } };
  act("blur");
  dispatch(inner, "keydown", { isTrusted: true });
  assert.deepEqual(acts, ["keydown"]);
  window.document.activeElement = frame(null);
  act("blur");
});
