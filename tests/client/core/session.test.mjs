import assert from "node:assert/strict";
import { test } from "node:test";

import { Session } from "../../../static/idlewatch/core/session.js";
import { FakeClock, ended, state, warned } from "../support.mjs";

const UP = { reachable: true };
const DOWN = { reachable: false };

function setUp(...frames) {
  const clock = new FakeClock();
  const session = new Session(clock);
  for (const frame of frames) session.accept(frame);
  return { clock, session };
}

test("a lower version is dropped, an equal one is the newer answer, and the first frame after a gap may have any", () => {
  const { session } = setUp(warned({ version: 5 }));
  assert.ok(!session.accept(state({ version: 4 })));
  assert.equal(session.stateNow(UP).phase, "warned");
  assert.ok(session.accept(warned({ version: 5, remaining: 60 })));
  assert.equal(session.stateNow(UP).remaining, 60);
  assert.ok(session.accept(state({ version: 1 }), { fresh: true }));
  assert.equal(session.stateNow(UP).phase, "active");
});

test("[R9] the end is final, whatever comes afterwards", () => {
  const { session } = setUp(state({ version: 9 }));
  assert.ok(session.accept(ended({ version: 0 })));
  assert.ok(!session.accept(state({ version: 10 }), { fresh: true }));
  assert.ok(!session.accept(ended({ version: 11, reason: "logout" })));
  assert.equal(session.stateNow(UP).reason, "idle");
});

test("[R38] the time left counts down from the last frame, also while the machine sleeps; without any, the content is hidden", () => {
  const { clock, session } = setUp(warned());
  clock.advance(30.5);
  assert.equal(session.stateNow(UP).remaining, 89.5);
  clock.sleep(500);
  const { remaining, hidden } = session.stateNow(UP);
  assert.deepEqual([remaining, hidden], [0, true]);
});

for (const [name, frame, remaining] of [
  ["restarts the page's own clock", state(), 890],
  ["restarts nothing near the absolute timeout", state({ extendable: false, remaining: 100 }), 80],
  ["changes nothing within the warning", warned(), 100],
]) {
  test(`an act ${name}`, () => {
    const { clock, session } = setUp(frame);
    clock.advance(10);
    session.touch();
    clock.advance(10);
    assert.equal(session.stateNow(DOWN).remaining, remaining);
  });
}

test("an offline page warns by its own clock; a connected one asks the server: another tab may have been busy", () => {
  const { clock, session } = setUp(state());
  clock.advance(700);
  assert.ok(!session.overdue);
  clock.advance(82);
  assert.ok(session.overdue);
  assert.equal(session.stateNow(UP).phase, "active");
  const { phase, reason, offline } = session.stateNow(DOWN);
  assert.deepEqual([phase, reason, offline], ["warned", "idle", true]);
  session.touch();
  assert.equal(session.stateNow(DOWN).phase, "active");
});

test("[R18] an offline page hides its content when the clock runs out, which only a later frame brings back", () => {
  const { clock, session } = setUp(state());
  clock.advance(901);
  assert.ok(session.stateNow(DOWN).hidden);
  session.touch();
  const { remaining, hidden } = session.stateNow(DOWN);
  assert.deepEqual([remaining, hidden], [0, true]);
  session.accept(state({ version: 2 }), { fresh: true });
  assert.ok(!session.stateNow(UP).hidden);
});

test("[R19] a page from the back/forward cache waits for the server", () => {
  const { session } = setUp(state());
  session.doubt();
  assert.ok(session.stateNow(UP).hidden);
  session.accept(state(), { fresh: true });
  assert.ok(!session.stateNow(UP).hidden);
});

test("there is no state before the first frame", () => {
  const { session } = setUp();
  assert.deepEqual([session.stateNow(UP), session.overdue, session.remaining], [null, false, 0]);
});
