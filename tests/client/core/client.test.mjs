import assert from "node:assert/strict";
import { test } from "node:test";

import { eventsOn } from "../../../static/idlewatch/core/api.js";
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
  dropped = false;
  restores = 0;
  notices = [];
  show = (seen) => (this.shown = seen);
  end = (seen) => (this.over = seen);
  restore = () => {
    this.restores += 1;
    this.over = null;
  };
  drop = () => (this.dropped = true);
  leave = () => (this.left = true);
  notice = (text) => this.notices.push(text);
}

/** The events that a page's script has received, some of which it cancels. */
class Script {
  cancels = new Set();
  received = [];

  constructor(document) {
    for (const type of ["state", "warned", "ended", "resumed"]) {
      document.addEventListener(`idlewatch:${type}`, (event) => {
        this.received.push({ ...event.detail, type });
        if (this.cancels.has(type)) event.preventDefault();
      });
    }
  }

  ofType(type) {
    return this.received.filter((event) => event.type === type);
  }
}

/** A client with fakes around it. HTTP fails unless the test says otherwise. */
function setUp({ frame = null, visible = true } = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const server = new FakeServer();
  server.answer = () => new Error("no network");
  const view = new FakeView();
  const document = new EventTarget();
  const script = new Script(document);
  const random = () => 0.5;
  const backoff = () => new Backoff({ base: 2, cap: 15, random });
  const renewals = [];
  // The backoff alone: other tests spread the pages of a server.
  const spread = { random: () => 0, open: network.open, backoff: backoff() };
  const websocket = (delegate) => new TabSocket({ clock, delegate, ...spread });
  const polling = (delegate) =>
    new Polling({ clock, delegate, server: server.addresses, fetch: server.fetch, backoff: backoff() });
  const client = new Client({
    clock,
    view,
    frame,
    events: eventsOn(document),
    heartbeat: 15,
    page: "page",
    visible: () => visible,
    onRenewal: () => renewals.push(clock.now()),
    transport: (options) => new Transport({ ...options, websocket, polling }),
  });
  client.start();
  return { clock, network, server, view, script, client, renewals };
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
  clock.advance(10.5);
  assert.equal(view.shown.remaining, 110);
  assert.equal(client.state.remaining, 109.5);
  client.extend();
  assert.equal(view.shown.phase, "warned", "only the server extends");
  assert.deepEqual(network.last.ofType("extend"), [{ type: "extend" }]);
  network.last.receive(state({ version: 3 }));
  assert.equal(view.shown.phase, "active");
});

test("the end stops everything, tells the user, and leads to the sign-in page", () => {
  const { clock, network, view, script, client } = connected();
  network.last.receive(ended());
  network.last.drop(CLOSE.ENDED);
  client.recordActivity();
  client.extend();
  clock.advance(3600);
  assert.equal(view.over.reason, "idle");
  assert.ok(view.left);
  assert.equal(network.sockets.length, 1);
  assert.deepEqual(network.last.sent, []);
  assert.equal(script.ofType("ended").length, 1);
});

test("a script that cancels the warning or the end shows its own, and the content stays away after the end", () => {
  const { clock, network, view, script } = connected();
  script.cancels.add("warned");
  network.last.receive(warned());
  clock.advance(5);
  assert.equal(view.shown.phase, "active");
  assert.deepEqual(["warned", "state"].map((type) => script.ofType(type).at(-1).phase), ["warned", "warned"]);
  network.last.receive(state({ version: 3 }));
  script.cancels.clear();
  network.last.receive(warned({ version: 4 }));
  assert.equal(view.shown.phase, "warned");
  script.cancels.add("ended");
  network.last.receive(ended({ version: 5 }));
  assert.equal(view.over.phase, "ended");
  assert.ok(!view.left);
});

for (const [name, occasion] of [
  ["the page goes away", ({ client }) => client.leave(CLOSE.CLOSED)],
  ["the warning comes", ({ network }) => network.last.receive(warned())],
  ["[R36] the page is hidden, whose timers would be slowed", ({ client }) => client.flush()],
]) {
  test(`activity is sent with its age, the last one when ${name}`, () => {
    const all = connected();
    all.client.recordActivity();
    all.clock.advance(5);
    all.client.recordActivity();
    all.clock.advance(3);
    occasion(all);
    assert.deepEqual(all.network.last.sent.map(({ type, ago }) => [type, ago]), [["activity", 0], ["activity", 3]]);
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
  const { clock, network, view } = connected();
  const first = network.last;
  await clock.run(14);
  assert.deepEqual(first.sent, []);
  await clock.run(2);
  assert.deepEqual(first.sent, [{ type: "sync" }]);
  assert.ok(!view.shown.offline);
  await clock.run(12);
  assert.ok(view.shown.offline);
});

test("the server is asked once a heartbeat at most, however much the user does", async () => {
  const { clock, network, client } = connected();
  for (let second = 0; second < 300; second += 1) {
    const before = network.last.ofType("sync").length;
    client.recordActivity();
    await clock.run(1);
    if (network.last.ofType("sync").length > before) network.last.receive(state());
  }
  assert.ok(network.last.ofType("sync").length <= 20, `${network.last.ofType("sync").length} questions in 300 s`);
});

test("a hidden page asks nothing before a change is due; activity in another tab then prevents its warning", async () => {
  const { clock, network, view } = connected(state(), { visible: false });
  await clock.run(780);
  assert.deepEqual(network.last.sent, []);
  clock.advance(2);
  assert.deepEqual(network.last.sent, [{ type: "sync" }]);
  assert.equal(view.shown.phase, "active");
  network.last.receive(state({ remaining: 880 }));
  clock.advance(60);
  assert.equal(network.last.sent.length, 1);
});

test("an extension that stays unanswered for five seconds means offline, and is repeated when the server is back", async () => {
  const { clock, network, view, client } = connected(warned());
  client.extend();
  await clock.run(5);
  assert.ok(view.shown.offline);
  assert.equal(view.shown.phase, "warned");
  client.extend();
  assert.equal(network.sockets.length, 2, "it does not wait to connect");
  network.last.receive(warned({ remaining: 100 }));
  assert.deepEqual(network.last.ofType("extend"), [{ type: "extend" }]);
  assert.ok(!view.shown.offline);
  network.last.receive(state({ version: 3 }));
  network.last.drop(1006);
  await clock.run(2);
  network.last.receive(warned({ version: 4 }));
  assert.deepEqual([network.sockets.length, network.last.ofType("extend")], [3, []], "it was granted");
});

test("[R18] a page that never reaches the server warns by its own clock, and hides its content in time until it does", async () => {
  const limits = { idle_timeout: 60, warn_before: 20 };
  const { clock, network, server, view, client } = setUp({ frame: state({ ...limits, remaining: 60 }) });
  assert.equal(view.shown.remaining, 60);
  assert.ok(!view.shown.offline);
  network.last.drop(1006);
  await clock.run(30);
  client.recordActivity();
  await clock.run(39);
  assert.equal(view.shown.phase, "active");
  assert.ok(view.shown.offline);
  await clock.run(2);
  assert.equal(view.shown.phase, "warned");
  await clock.run(20);
  assert.ok(view.shown.hidden);
  assert.equal(view.shown.remaining, 0);
  client.recordActivity();
  assert.ok(view.shown.hidden);
  server.answer = () => ({ status: 200, frame: state({ ...limits, remaining: 42 }) });
  client.wake();
  await settle();
  assert.ok(!view.shown.hidden);
  assert.ok(!view.shown.offline);
  assert.equal(view.shown.phase, "active");
});

test("without a socket it polls over HTTP: each heartbeat, every two seconds while warned", async () => {
  const { clock, network, server, view, client } = setUp();
  server.answer = () => ({ status: 200, frame: state() });
  network.last.drop(1006);
  await settle();
  assert.equal(view.shown.phase, "active");
  assert.ok(!view.shown.offline);
  const polls = () => server.requests.length;
  const before = polls();
  await clock.run(30);
  assert.equal(polls() - before, 2);
  server.answer = () => ({ status: 200, frame: warned() });
  await clock.run(15);
  const warnedFrom = polls();
  await clock.run(10);
  assert.equal(polls() - warnedFrom, 5);
  server.answer = () => ({ status: 200, frame: state({ version: 3 }) });
  client.extend();
  await settle();
  assert.deepEqual(server.requests.at(-1).message, { type: "extend" });
  assert.equal(view.shown.phase, "active");
  client.hold("work");
  client.leave(CLOSE.CLOSED);
  assert.equal(server.requests.at(-1).options.keepalive, true);
});

test("a socket that opens slowly falls back to HTTP, and ends the polling when it is up", async () => {
  const { clock, network, server, view } = setUp({ visible: false });
  server.answer = () => ({ status: 200, frame: state() });
  await clock.run(12);
  assert.equal(view.shown.phase, "active");
  network.last.receive(state());
  const before = server.requests.length;
  await clock.run(60);
  assert.equal(server.requests.length, before);
});

for (const [name, status, frame] of [
  ["goes on where its cookie was replaced while it connected", 200, state()],
  ["ends where HTTP says so too", 401, ended({ version: 0, reason: null })],
]) {
  test(`[R9] a page whose socket finds no session at all asks again, and ${name}`, async () => {
    const { network, server, view } = setUp();
    server.answer = () => ({ status, frame });
    network.last.receive(ended({ version: 0, reason: null }));
    network.last.drop(CLOSE.ENDED);
    await settle();
    assert.equal((view.over ?? view.shown).phase, frame.phase);
  });
}

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
  assert.equal(network.last.code, CLOSE.NAVIGATED);
  client.returnFromCache();
  assert.ok(view.shown.hidden);
  assert.ok(view.shown.remaining > 0);
  network.last.receive(state());
  assert.ok(!view.shown.hidden);
  assert.equal(network.sockets.length, 2);
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
  const { network, view, script, client } = connected();
  const hold = client.hold("work");
  network.last.receive(ended());
  client.resume();
  assert.equal(network.sockets.length, 2);
  assert.notEqual(view.over, null);
  network.last.receive(state({ version: 1 }));
  assert.equal(view.over, null);
  network.last.receive(state({ version: 2 }));
  assert.equal(view.shown.phase, "active");
  assert.deepEqual([view.restores, script.ofType("resumed").length], [1, 1]);
  client.recordActivity();
  hold.release();
  assert.deepEqual(network.last.sent.map(({ type }) => type), ["hold", "activity", "release"], "work goes on");
});

test("a page whose next session has ended too shows that end", () => {
  const { network, view, script, client } = connected();
  network.last.receive(ended());
  client.resume();
  network.last.receive(ended({ reason: "revoked" }));
  assert.equal(view.over.reason, "revoked");
  assert.deepEqual([view.restores, script.ofType("resumed").length], [0, 0]);
});

test("[R32] a page that is notified of the sign-in before the end of its own session comes back too", () => {
  const { network, view, script, client } = connected();
  client.resume();
  network.last.receive(ended());
  assert.equal(network.sockets.length, 2);
  assert.ok(!view.left);
  network.last.receive(state({ version: 1 }));
  assert.equal(view.over, null);
  assert.equal(script.ofType("ended").length, 0);
});

for (const [name, find] of [
  ["the server reports", ({ network }) => network.last.receive(ended({ reason: "logout", page: "foreign" }))],
  ["is reported while the session lives", ({ client }) => client.drop()],
]) {
  test(`a page of another user that ${name} shows nothing, and does not connect again`, async () => {
    const all = connected();
    find(all);
    assert.ok(all.view.dropped);
    await all.clock.run(60);
    assert.equal(all.network.sockets.length, 1);
    assert.equal(all.network.last.code, CLOSE.CLOSED);
  });
}
