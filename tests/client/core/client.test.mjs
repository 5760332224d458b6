import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../../static/idlewatch/core/client.js";
import { CLOSE } from "../../../static/idlewatch/core/protocol.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { Transport } from "../../../static/idlewatch/transport/index.js";
import { Polling } from "../../../static/idlewatch/transport/polling.js";
import { TabSocket } from "../../../static/idlewatch/transport/websocket.js";
import { FakeClock, FakeNetwork, FakeServer, ended, settle, state, warned } from "../support.mjs";

class FakeView {
  shown = null;
  over = null;
  left = false;
  notices = [];

  show(seen) {
    this.shown = seen;
  }

  end(seen) {
    this.over = seen;
  }

  restore() {
    this.over = null;
  }

  drop() {
    this.dropped = true;
  }

  leave() {
    this.left = true;
  }

  notice(text) {
    this.notices.push(text);
  }
}

class FakeEvents {
  received = [];
  cancels = new Set();

  state(detail) {
    this.received.push(["state", detail]);
  }

  warned(detail) {
    this.received.push(["warned", detail]);
    return !this.cancels.has("warned");
  }

  ended(detail) {
    this.received.push(["ended", detail]);
    return !this.cancels.has("ended");
  }

  resumed(detail) {
    this.received.push(["resumed", detail]);
  }

  ofType(type) {
    return this.received.filter(([name]) => name === type).map(([, detail]) => detail);
  }
}

/** A client with fakes around it. HTTP fails unless the test says otherwise. */
function setUp({ frame = null, visible = true } = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const server = new FakeServer();
  server.answer = () => new Error("no network");
  const view = new FakeView();
  const events = new FakeEvents();
  const random = () => 0.5;
  const addresses = { state: "/state/", message: "/message/", csrf: "token", token: "page" };
  const renewals = [];
  const websocket = (delegate) =>
    new TabSocket({ clock, delegate, random, open: network.open, backoff: new Backoff({ base: 2, cap: 30, random }) });
  const polling = (delegate) =>
    new Polling({
      clock,
      delegate,
      server: addresses,
      fetch: server.fetch,
      backoff: new Backoff({ base: 2, cap: 15, random }),
    });
  const client = new Client({
    clock,
    view,
    events,
    frame,
    heartbeat: 15,
    page: "page",
    visible: () => visible,
    onRenewal: () => renewals.push(clock.now()),
    transport: (options) => new Transport({ ...options, websocket, polling }),
  });
  client.start();
  const run = async (seconds, step = 1) => {
    for (let passed = 0; passed < seconds; passed += step) {
      clock.advance(Math.min(step, seconds - passed));
      await settle();
    }
  };
  return { clock, network, server, view, events, client, run, renewals };
}

function connected(frame = state(), options = {}) {
  const all = setUp(options);
  all.network.last.receive(frame);
  return all;
}

test("[R30] a warning is shown, counts down each second, and goes with the server's answer to an extension", () => {
  const { clock, network, view, client } = connected();
  network.last.receive(warned());
  assert.equal(view.shown.phase, "warned");
  clock.advance(10);
  assert.equal(view.shown.remaining, 110);
  client.extend();
  assert.equal(view.shown.phase, "warned", "only the server extends");
  assert.deepEqual(network.last.ofType("extend"), [{ type: "extend" }]);
  network.last.receive(state({ version: 3 }));
  assert.equal(view.shown.phase, "active");
});

test("the end stops everything, tells the user, and leads to the sign-in page", () => {
  const { clock, network, view, events, client } = connected();
  network.last.receive(ended());
  network.last.drop(CLOSE.ENDED);
  client.recordActivity();
  client.extend();
  clock.advance(3600);
  assert.equal(view.over.reason, "idle");
  assert.ok(view.left);
  assert.equal(network.sockets.length, 1);
  assert.deepEqual(network.last.sent, []);
  assert.equal(events.ofType("ended").length, 1);
});

test("a script that cancels the warning or the end shows its own, and the content stays away after the end", () => {
  const { clock, network, view, events } = connected();
  events.cancels.add("warned");
  network.last.receive(warned());
  clock.advance(5);
  assert.equal(view.shown.phase, "active");
  assert.equal(events.ofType("warned")[0].phase, "warned");
  assert.equal(events.ofType("state").at(-1).phase, "warned");
  network.last.receive(state({ version: 3 }));
  events.cancels.clear();
  network.last.receive(warned({ version: 4 }));
  assert.equal(view.shown.phase, "warned");
  events.cancels.add("ended");
  network.last.receive(ended({ version: 5 }));
  assert.equal(view.over.phase, "ended");
  assert.ok(!view.left);
});

test("activity is sent with its age, the last before the page goes away too", () => {
  const { clock, network, client } = connected();
  client.recordActivity();
  clock.advance(5);
  client.recordActivity();
  clock.advance(2);
  client.leave(CLOSE.CLOSED);
  assert.deepEqual(network.last.sent, [
    { type: "activity", ago: 0 },
    { type: "activity", ago: 2 },
  ]);
  assert.equal(network.last.code, CLOSE.CLOSED);
});

for (const [name, occasion] of [
  ["the warning comes", ({ network }) => network.last.receive(warned())],
  ["[R36] the page is hidden, whose timers would be slowed", ({ client }) => client.flush()],
]) {
  test(`unsent activity is sent when ${name}`, () => {
    const all = connected();
    all.client.recordActivity();
    all.clock.advance(5);
    all.client.recordActivity();
    all.clock.advance(3);
    occasion(all);
    assert.deepEqual(all.network.last.sent.at(-1), { type: "activity", ago: 3 });
  });
}

test("on a new connection the server learns of the last act, then of the holds", () => {
  const { clock, network, client } = connected();
  client.recordActivity();
  client.hold("work");
  clock.advance(20);
  network.last.drop(1006);
  clock.advance(1);
  network.last.receive(state());
  assert.deepEqual(network.last.sent.slice(0, 2), [
    { type: "activity", ago: 21 },
    { type: "hold", id: "page-1", label: "work" },
  ]);
});

test("a visible page notices within two heartbeats that the server is gone", async () => {
  const { network, view, run } = connected();
  const first = network.last;
  await run(14);
  assert.deepEqual(first.sent, []);
  await run(2);
  assert.deepEqual(first.sent, [{ type: "sync" }]);
  assert.ok(!view.shown.offline);
  await run(12);
  assert.ok(view.shown.offline);
});

test("the server is asked once a heartbeat at most, however much the user does", async () => {
  const { network, client, run } = connected();
  for (let second = 0; second < 300; second += 1) {
    const asked = network.last.ofType("sync").length;
    client.recordActivity();
    await run(1);
    if (network.last.ofType("sync").length > asked) network.last.receive(state());
  }
  assert.ok(network.last.ofType("sync").length <= 20, `${network.last.ofType("sync").length} questions in 300 s`);
});

test("a hidden page asks nothing before a change is due", async () => {
  const { network, run } = connected(state(), { visible: false });
  await run(700);
  assert.deepEqual(network.last.sent, []);
});

test("an extension that stays unanswered for five seconds means offline, and is repeated when the server is back", async () => {
  const { network, view, client, run } = connected(warned());
  client.extend();
  await run(5);
  assert.ok(view.shown.offline);
  assert.equal(view.shown.phase, "warned");
  await run(2);
  network.last.receive(warned({ remaining: 100 }));
  assert.deepEqual(network.last.ofType("extend"), [{ type: "extend" }]);
  assert.ok(!view.shown.offline);
});

test("[R18] an offline page warns by its own clock, hides the content in time, and shows it again when the server confirms the session", async () => {
  const { network, server, view, client, run } = connected(state({ idle_timeout: 60, warn_before: 20, remaining: 60 }));
  network.last.drop(1006);
  await run(30);
  client.recordActivity();
  await run(39);
  assert.equal(view.shown.phase, "active");
  assert.ok(view.shown.offline);
  await run(2);
  assert.equal(view.shown.phase, "warned");
  await run(20);
  assert.ok(view.shown.hidden);
  assert.equal(view.shown.remaining, 0);
  client.recordActivity();
  assert.ok(view.shown.hidden);
  server.answer = () => ({ status: 200, frame: state({ idle_timeout: 60, warn_before: 20, remaining: 42 }) });
  await run(16);
  assert.ok(!view.shown.hidden);
  assert.ok(!view.shown.offline);
  assert.equal(view.shown.phase, "active");
});

test("without a socket it polls over HTTP: each heartbeat, every two seconds while warned", async () => {
  const { network, server, view, client, run } = setUp();
  server.answer = () => ({ status: 200, frame: state() });
  network.last.drop(1006);
  await settle();
  assert.equal(view.shown.phase, "active");
  assert.ok(!view.shown.offline);
  const polls = () => server.asked.length;
  const before = polls();
  await run(30);
  assert.equal(polls() - before, 2);
  server.answer = () => ({ status: 200, frame: warned() });
  await run(15);
  const warnedFrom = polls();
  await run(10);
  assert.equal(polls() - warnedFrom, 5);
  server.answer = () => ({ status: 200, frame: state({ version: 3 }) });
  client.extend();
  await settle();
  assert.deepEqual(server.asked.at(-1).message, { type: "extend" });
  assert.equal(view.shown.phase, "active");
});

test("a socket that opens slowly falls back to HTTP, and ends the polling when it is up", async () => {
  const { network, server, view, run } = setUp({ visible: false });
  server.answer = () => ({ status: 200, frame: state() });
  await run(12);
  assert.equal(view.shown.phase, "active");
  network.last.receive(state());
  const before = server.asked.length;
  await run(60);
  assert.equal(server.asked.length, before);
});

test("[R9] an end that comes over HTTP is an end", async () => {
  const { network, server, view } = setUp();
  server.answer = () => ({ status: 401, frame: ended({ reason: "revoked" }) });
  network.last.drop(1006);
  await settle();
  assert.equal(view.over.reason, "revoked");
});

test("a tab whose cookie was replaced while it connected asks again instead of signing its user out", async () => {
  const { network, server, view } = setUp();
  server.answer = () => ({ status: 200, frame: state() });
  network.last.receive(ended({ version: 0, reason: null }));
  network.last.drop(CLOSE.ENDED);
  await settle();
  assert.equal(view.over, null);
  assert.equal(view.shown.phase, "active");
});

test("no session at all is an end all the same, when HTTP says so too", async () => {
  const { network, server, view } = setUp();
  server.answer = () => ({ status: 401, frame: ended({ version: 0, reason: null }) });
  network.last.receive(ended({ version: 0, reason: null }));
  network.last.drop(CLOSE.ENDED);
  await settle();
  assert.equal(view.over.phase, "ended");
});

test("activity in another tab prevents the warning in this one: it asks before it would warn", () => {
  const { clock, network, view } = connected(state(), { visible: false });
  clock.advance(782);
  assert.deepEqual(network.last.sent, [{ type: "sync" }]);
  assert.equal(view.shown.phase, "active");
  network.last.receive(state({ remaining: 880 }));
  clock.advance(60);
  assert.equal(network.last.sent.length, 1);
});

test("[R38] on waking the page asks at once, and hides what may be over", () => {
  const { clock, network, view, client } = connected();
  clock.sleep(3600);
  client.wake();
  assert.deepEqual(network.last.sent, [{ type: "sync" }]);
  assert.ok(view.shown.hidden);
  network.last.receive(state({ remaining: 400 }));
  assert.ok(!view.shown.hidden);
});

test("[R19] a page from the back/forward cache shows nothing before the server has answered", () => {
  const { network, view, client } = connected();
  client.leave(CLOSE.NAVIGATED);
  client.returnFromCache();
  assert.ok(view.shown.hidden);
  assert.ok(view.shown.remaining > 0);
  network.last.receive(state());
  assert.ok(!view.shown.hidden);
  assert.equal(network.sockets.length, 2);
});

test("a page that never reaches the server has the clock it was made with", async () => {
  const { network, view, run } = setUp({ frame: state({ idle_timeout: 60, warn_before: 20, remaining: 60 }) });
  assert.equal(view.shown.remaining, 60);
  assert.ok(!view.shown.offline);
  network.last.drop(1006);
  await run(61);
  assert.ok(view.shown.hidden);
  assert.ok(view.shown.offline);
});

test("messages of an operator, a refused hold and a page made before the sign-in are acted upon", () => {
  const { clock, network, client, view, renewals } = connected(state({ page: "renewed" }), { visible: false });
  assert.equal(renewals.length, 1, "it asks for new tokens");
  network.last.receive({ type: "notice", id: "1", text: "Maintenance at noon" });
  assert.deepEqual(view.notices, ["Maintenance at noon"]);
  client.hold("work");
  network.last.receive({ type: "error", code: "hold_refused", detail: "" });
  clock.advance(120);
  assert.equal(network.last.ofType("hold").length, 1);
});

test("[R32] a page that has ended comes back when its user has signed in again, not before the server says so", () => {
  const { network, view, events, client } = connected();
  network.last.receive(ended());
  client.resume();
  assert.equal(network.sockets.length, 2);
  assert.notEqual(view.over, null);
  network.last.receive(state({ version: 1 }));
  assert.equal(view.over, null);
  assert.equal(view.shown.phase, "active");
  assert.equal(events.ofType("resumed").length, 1);
  client.recordActivity();
  assert.equal(network.last.ofType("activity").length, 1);
});

test("work that goes on after the end is held in the new session", () => {
  const { network, client } = connected();
  const hold = client.hold("work");
  network.last.receive(ended());
  client.resume();
  network.last.receive(state({ version: 1 }));
  assert.equal(network.last.ofType("hold").length, 1);
  hold.release();
  assert.equal(network.last.ofType("release").length, 1);
});

test("a page whose next session has ended too shows that end", () => {
  const { network, view, events, client } = connected();
  network.last.receive(ended());
  client.resume();
  network.last.receive(ended({ reason: "revoked" }));
  assert.equal(view.over.reason, "revoked");
  assert.equal(events.ofType("resumed").length, 0);
});

test("[R32] a page that is notified of the sign-in before the end of its own session comes back too", () => {
  const { network, view, events, client } = connected();
  client.resume();
  network.last.receive(ended());
  assert.equal(network.sockets.length, 2);
  assert.ok(!view.left);
  network.last.receive(state({ version: 1 }));
  assert.equal(view.over, null);
  assert.equal(events.ofType("ended").length, 0);
});

for (const [name, find] of [
  ["the server reports", ({ network }) => network.last.receive(ended({ reason: "logout", page: "foreign" }))],
  ["is reported while the session lives", ({ client }) => client.drop()],
]) {
  test(`a page of another user that ${name} shows nothing, and does not connect again`, async () => {
    const all = connected();
    find(all);
    assert.ok(all.view.dropped);
    await all.run(60);
    assert.equal(all.network.sockets.length, 1);
    assert.equal(all.network.last.code, CLOSE.CLOSED);
  });
}

test("`window.idlewatch.state` counts down between two frames", () => {
  const { clock, client } = connected(warned());
  clock.advance(0.5);
  assert.equal(client.state.remaining, 119.5);
});
