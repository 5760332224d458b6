import assert from "node:assert/strict";
import { test } from "node:test";

import { PointerObserver } from "../../../static/idlewatch/observers/pointer.js";
import { dispatch, fakeWindow, listeners } from "../dom.mjs";
import { FakeClock } from "../support.mjs";

/** A pointer that goes on to the right over a window, by one pixel an event. */
function setUp() {
  const clock = new FakeClock();
  const window = fakeWindow();
  const moves = [];
  const observer = new PointerObserver({ clock, onMove: () => moves.push(Math.round((clock.monotonic - 1000) * 100) / 100) });
  observer.follow(window.document);
  let screenX = 10;
  const hover = (isTrusted = true) => dispatch(window, "pointermove", { isTrusted, screenX, screenY: 10 });
  const move = (isTrusted) => {
    screenX += 1;
    hover(isTrusted);
  };
  return { clock, window, moves, observer, hover, move };
}

test("a pointer that keeps moving is observed once a second, and between that not at all", () => {
  const { clock, moves, move } = setUp();
  for (let event = 0; event < 300; event += 1) {
    move();
    clock.advance(0.01);
  }
  assert.deepEqual(moves, [0.01, 1.03, 2.05]);
  assert.equal(listeners.size, 0);
});

test("movements that come one at a time are all observed", () => {
  const { clock, moves, move } = setUp();
  for (let event = 0; event < 5; event += 1) {
    move();
    clock.advance(0.2);
  }
  assert.deepEqual(moves, [0.2, 0.4, 0.6, 0.8]);
});

test("a pointer that came to rest unobserved has not moved when the page moves below it", () => {
  const { clock, moves, move, hover } = setUp();
  move();
  move();
  clock.advance(0.5);
  move();
  clock.advance(1);
  hover();
  hover();
  move(false);
  assert.deepEqual(moves, [0]);
  move();
  assert.deepEqual(moves, [0, 1.5]);
});

test("frames are observed as the page is, until their document goes", () => {
  const { clock, moves, observer, move } = setUp();
  const frame = { defaultView: new EventTarget() };
  observer.follow(frame);
  for (const screenX of [1, 2]) dispatch(frame.defaultView, "pointermove", { isTrusted: true, screenX, screenY: 10 });
  assert.deepEqual(moves, [0]);
  frame.defaultView = null;
  clock.advance(2);
  move();
  move();
  assert.deepEqual(moves, [0, 2]);
});
