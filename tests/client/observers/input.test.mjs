import assert from "node:assert/strict";
import { test } from "node:test";

import { InputObserver } from "../../../static/idlewatch/observers/input.js";
import { FakeClock } from "../support.mjs";

globalThis.MutationObserver ??= class {
  observe() {}
  disconnect() {}
};

/** A window without a page in it. Events are plain objects, as no script can make a trusted one. */
class FakeWindow {
  listeners = new Map();
  document = { activeElement: null, addEventListener() {}, querySelectorAll: () => [] };

  addEventListener(type, listener, { signal }) {
    this.listeners.set(type, listener);
    signal.addEventListener("abort", () => this.listeners.delete(type));
  }

  do(type, { isTrusted = true, ...details } = {}) {
    this.listeners.get(type)?.({ type, isTrusted, currentTarget: this, ...details });
  }
}

function setUp() {
  const clock = new FakeClock();
  const window = new FakeWindow();
  const acts = [];
  const observer = new InputObserver({ window, clock, onActivity: ({ type }) => acts.push(type) });
  observer.start();
  return { clock, window, observer, acts };
}

for (const type of ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "input", "click", "paste", "drop"]) {
  test(`${type} is activity, unless a script dispatched it`, () => {
    const { window, acts } = setUp();
    window.do(type, { isTrusted: false });
    assert.deepEqual(acts, []);
    window.do(type);
    assert.deepEqual(acts, [type]);
  });
}

for (const type of ["focus", "visibilitychange", "mouseover", "pointerover", "load"]) {
  test(`${type} is not activity`, () => {
    const { window, acts } = setUp();
    window.do(type);
    assert.deepEqual(acts, []);
  });
}

test("scrolling counts for a second after input, not after itself", () => {
  const { clock, window, acts } = setUp();
  window.do("scroll");
  assert.deepEqual(acts, []);
  window.do("wheel");
  clock.advance(0.9);
  window.do("scroll");
  clock.advance(0.2);
  window.do("scroll");
  assert.deepEqual(acts, ["wheel", "scroll"]);
});

test("a pointer counts when it moves on the screen, not while it rests or when it first appears", () => {
  const { window, acts } = setUp();
  window.do("pointermove", { screenX: 10, screenY: 10 });
  window.do("pointermove", { screenX: 10, screenY: 10 });
  window.do("pointermove", { screenX: 90, screenY: 90, isTrusted: false });
  window.do("pointermove", { screenX: 10, screenY: 10 });
  assert.deepEqual(acts, []);
  window.do("pointermove", { screenX: 11, screenY: 10 });
  assert.deepEqual(acts, ["pointermove"]);
});

test("a focused frame is observed, through shadow trees, unless it is of another origin", () => {
  const { window, acts } = setUp();
  const frame = (view) => ({ matches: () => true, contentDocument: view && { defaultView: view } });
  const inner = new FakeWindow();
  window.document.activeElement = { shadowRoot: { activeElement: frame(inner) } };
  window.do("blur");
  inner.do("keydown");
  assert.deepEqual(acts, ["keydown"]);
  window.document.activeElement = frame(null);
  window.do("blur");
});
