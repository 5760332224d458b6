import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, Timer } from "../../../static/idlewatch/core/clock.js";
import { FakeClock } from "../support.mjs";

test("[R6] [R38] time is the larger of what two clocks count: one may be set back, the other stand still in sleep; never negative", () => {
  const clock = new FakeClock();
  const moment = clock.now();
  clock.advance(10);
  clock.sleep(300);
  assert.equal(clock.since(moment), 310);
  clock.wall -= 3600;
  assert.equal(clock.since(moment), 10);
  clock.monotonic -= 3600;
  assert.equal(clock.since(moment), 0);
});

test("the browser's own clock calls back, and a cancelled call does not come", async () => {
  const clock = new Clock();
  const calls = [];
  clock.after(0, () => calls.push("kept"));
  clock.after(0, () => calls.push("cancelled"))();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(calls, ["kept"]);
  assert.ok(clock.since(clock.now()) < 1);
});

test("a timer has one pending call at most, and none once it is cancelled", () => {
  const clock = new FakeClock();
  let calls = 0;
  const timer = new Timer(clock, () => (calls += 1));
  timer.start(5);
  timer.start(10);
  clock.advance(9);
  assert.equal(calls, 0);
  assert.ok(timer.running);
  clock.advance(1);
  assert.equal(calls, 1);
  assert.ok(!timer.running);
  timer.start(5);
  timer.cancel();
  clock.advance(60);
  assert.equal(calls, 1);
});
