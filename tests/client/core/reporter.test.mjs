import assert from "node:assert/strict";
import { test } from "node:test";

import { ActivityReporter } from "../../../static/idlewatch/core/reporter.js";
import { FakeClock, state } from "../support.mjs";

function setUp() {
  const clock = new FakeClock();
  const sent = [];
  const server = { up: true };
  const send = (message) => {
    if (server.up) sent.push({ at: clock.monotonic - 1000, ...message });
    return server.up;
  };
  return { clock, sent, server, reporter: new ActivityReporter({ clock, send, heartbeat: 15 }) };
}

test("the first act after a quiet spell goes out at once, the last one with its age when the heartbeat is over", () => {
  const { clock, reporter, sent } = setUp();
  reporter.record();
  clock.advance(4);
  reporter.record();
  clock.advance(2);
  reporter.record();
  clock.advance(600);
  assert.deepEqual(sent, [
    { at: 0, type: "activity", ago: 0 },
    { at: 15, type: "activity", ago: 9 },
  ]);
});

test("[R24] whatever the user does, there is at most one message a heartbeat", () => {
  const { clock, reporter, sent } = setUp();
  for (let step = 0; step < 6000; step += 1) {
    reporter.record();
    clock.advance(0.1);
  }
  assert.ok(sent.length >= 600 / 15 && sent.length <= 600 / 15 + 1, `${sent.length} messages in 600 s`);
  for (let index = 1; index < sent.length; index += 1) assert.ok(sent[index].at - sent[index - 1].at >= 15 - 1e-6);
});

test("the last act is sent when the server is back, and again to one that has restarted", () => {
  const { clock, server, reporter, sent } = setUp();
  server.up = false;
  reporter.record();
  clock.advance(30);
  server.up = true;
  reporter.replay();
  assert.deepEqual(sent, [{ at: 30, type: "activity", ago: 30 }]);
  clock.advance(40);
  reporter.replay();
  assert.deepEqual(sent.slice(1), [{ at: 70, type: "activity", ago: 70 }]);
});

test("activity while offline keeps moments close enough to carry each other", () => {
  const { clock, server, reporter, sent } = setUp();
  reporter.follow(state());
  server.up = false;
  for (let minute = 0; minute < 14; minute += 1) {
    reporter.record();
    clock.advance(60);
  }
  server.up = true;
  reporter.replay();
  const moments = sent.map(({ ago }) => 840 - ago);
  assert.equal(moments[0], 0);
  assert.equal(moments.at(-1), 780);
  for (let index = 1; index < moments.length; index += 1) assert.ok(moments[index] - moments[index - 1] < 780);
  assert.ok(moments.length <= 6, `${moments.length} moments`);
});

test("[R4] an age is never negative, nor beyond what the server takes", () => {
  const { clock, server, reporter, sent } = setUp();
  server.up = false;
  reporter.record();
  clock.sleep(200_000);
  server.up = true;
  reporter.replay();
  assert.equal(sent[0].ago, 86_400);
  clock.wall -= 400_000;
  reporter.record();
  clock.advance(15);
  assert.ok(sent.every(({ ago }) => ago >= 0));
});

test("a page that goes away takes its unsent activity once", () => {
  const { clock, reporter } = setUp();
  reporter.record();
  clock.advance(3);
  reporter.record();
  clock.advance(2);
  assert.deepEqual(reporter.takeUnsent(), [{ type: "activity", ago: 2 }]);
  assert.deepEqual(reporter.takeUnsent(), []);
});

test("[R5] before the first act and after the end nothing is sent", () => {
  const { clock, reporter, sent } = setUp();
  clock.advance(3600);
  reporter.replay();
  assert.deepEqual(sent, []);
  reporter.record();
  reporter.record();
  reporter.stop();
  clock.advance(60);
  reporter.replay();
  assert.equal(sent.length, 1);
});
