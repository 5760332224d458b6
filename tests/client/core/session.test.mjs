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

test("a lower version is dropped, an equal one is the newer answer", () => {
  const { session } = setUp(warned({ version: 5 }));
  assert.ok(!session.accept(state({ version: 4 })));
  assert.equal(session.stateNow(UP).phase, "warned");
  assert.ok(session.accept(warned({ version: 5, remaining: 60 })));
  session.touch();
  assert.equal(session.stateNow(DOWN).remaining, 60, "an act changes nothing within the warning");
});

test("the first frame after a gap is accepted whatever its version", () => {
  const { session } = setUp(state({ version: 50 }));
  assert.ok(session.accept(warned({ version: 1 }), { fresh: true }));
  assert.equal(session.stateNow(UP).phase, "warned");
});

test("[R9] the end is final, whatever comes afterwards", () => {
  const { session } = setUp(state({ version: 9 }));
  assert.ok(session.accept(ended({ version: 0 })));
  assert.ok(!session.accept(state({ version: 10 }), { fresh: true }));
  assert.ok(!session.accept(ended({ version: 11, reason: "logout" })));
  assert.equal(session.stateNow(UP).reason, "idle");
});

test("the time left counts down from the last frame, and is never negative", () => {
  const { clock, session } = setUp(warned());
  clock.advance(30.5);
  assert.equal(session.stateNow(UP).remaining, 89.5);
  clock.advance(500);
  assert.equal(session.stateNow(UP).remaining, 0);
});

test("[R38] after a sleep the time left is gone, and the content hidden", () => {
  const { clock, session } = setUp(state());
  clock.sleep(1000);
  const seen = session.stateNow(UP);
  assert.equal(seen.remaining, 0);
  assert.ok(seen.hidden);
});

test("an act restarts the page's own clock while the session is active", () => {
  const { clock, session } = setUp(state());
  clock.advance(700);
  session.touch();
  clock.advance(100);
  assert.equal(session.stateNow(DOWN).remaining, 800);
});

test("an offline page warns by its own clock; a connected one leaves that to the server", () => {
  const { clock, session } = setUp(state());
  clock.advance(781);
  assert.equal(session.stateNow(UP).phase, "active");
  assert.deepEqual(
    (({ phase, reason, offline }) => ({ phase, reason, offline }))(session.stateNow(DOWN)),
    { phase: "warned", reason: "idle", offline: true },
  );
  session.touch();
  assert.equal(session.stateNow(DOWN).phase, "active");
});

test("[R18] an offline page hides its content when the clock runs out, which only a later frame brings back", () => {
  const { clock, session } = setUp(state());
  clock.advance(901);
  assert.ok(session.stateNow(DOWN).hidden);
  session.touch();
  assert.ok(session.stateNow(DOWN).hidden);
  assert.equal(session.stateNow(DOWN).remaining, 0);
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

test("the server is asked before the page's own clock would warn: another tab may have been busy", () => {
  const { clock, session } = setUp(state());
  clock.advance(700);
  assert.ok(!session.overdue);
  clock.advance(82);
  assert.ok(session.overdue);
});

test("near the absolute timeout, an act restarts nothing", () => {
  const { clock, session } = setUp(state({ extendable: false, remaining: 100 }));
  clock.advance(10);
  session.touch();
  assert.equal(session.stateNow(DOWN).remaining, 90);
});

test("there is no state before the first frame", () => {
  const { session } = setUp();
  assert.equal(session.stateNow(UP), null);
  assert.ok(!session.overdue);
  assert.equal(session.remaining, 0);
});
