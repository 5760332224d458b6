import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { Polling } from "../../../static/idlewatch/transport/polling.js";
import { FakeClock, FakeServer, ended, settle, state } from "../support.mjs";

async function setUp({ interval = 15, answer = null } = {}) {
  const clock = new FakeClock();
  const server = new FakeServer();
  if (answer !== null) server.answer = answer;
  const frames = [];
  const failures = [];
  const polling = new Polling({
    clock,
    server: server.addresses,
    fetch: server.fetch,
    backoff: new Backoff({ base: 2, cap: 15, random: () => 1 }),
    delegate: {
      onFrame: (frame, fresh) => frames.push({ frame, fresh }),
      onFailure: () => failures.push(clock.monotonic),
      interval: () => interval,
    },
  });
  polling.start();
  await settle();
  return { clock, server, frames, failures, polling };
}

test("[R5] it asks for the state at each interval and for a sync, marked as passive, as a script that wants JSON", async () => {
  const { clock, server, polling } = await setUp({ interval: 2 });
  await clock.run(10);
  assert.equal(server.requests.length, 6);
  assert.ok(polling.send({ type: "sync" }));
  assert.equal(server.requests.length, 7);
  for (const { address, message, options } of server.requests) {
    assert.deepEqual([address, message, options.cache], ["/state/?for=page", null, "no-store"]);
    assert.deepEqual(options.headers, { Accept: "application/json", "Idlewatch-Passive": "1" });
  }
});

test("a message goes out by POST with the newest token, and its answer is the state; the last one outlives the page", async () => {
  const { server, polling, frames } = await setUp();
  server.addresses.csrf = "newer";
  assert.ok(polling.send({ type: "extend" }));
  await settle();
  const { address, message, options } = server.requests.at(-1);
  assert.deepEqual([address, message, options.method], ["/message/?for=page", { type: "extend" }, "POST"]);
  assert.equal(options.headers["X-Token"], "newer");
  assert.equal(frames.length, 2);
  polling.sendLast({ type: "activity", ago: 3 });
  assert.equal(server.requests.at(-1).options.keepalive, true);
});

test("messages wait for the request under way, and keep their order", async () => {
  const { clock, server, polling } = await setUp();
  clock.advance(15);
  for (const id of ["a", "b", "c"]) polling.send({ type: "release", id });
  assert.equal(server.requests.length, 2);
  await settle();
  assert.deepEqual(server.requests.map(({ message }) => message?.id), [undefined, undefined, "a", "b", "c"]);
});

test("an ended session and a refused message are answers", async () => {
  for (const [status, frame] of [[401, ended()], [400, { type: "error", code: "hold_refused", detail: "" }]]) {
    const { frames } = await setUp({ answer: () => ({ status, frame }) });
    assert.deepEqual(frames, [{ frame, fresh: true }]);
  }
});

for (const [name, answer] of [
  ["a proxy's error page", () => ({ status: 502, frame: state() })],
  ["a sign-in page of another server", () => ({ status: 200, frame: "<html>" })],
  ["a network that is gone", () => new Error("no network")],
]) {
  test(`${name} is a failure`, async () => {
    const { frames, failures, polling } = await setUp({ answer });
    assert.deepEqual([frames.length, failures.length, polling.up], [0, 1, false]);
    assert.ok(!polling.send({ type: "extend" }), "what would be lost is refused");
  });
}

test("a server that does not answer for five seconds has failed", async () => {
  const { clock, failures } = await setUp({ answer: () => null });
  await clock.run(4.9);
  assert.deepEqual(failures, []);
  await clock.run(0.1);
  assert.equal(failures.length, 1);
});

test("[R29] failures are followed by longer and longer waits, until an answer", async () => {
  const { clock, server, frames, polling } = await setUp({ answer: () => new Error("no network") });
  await clock.run(60);
  assert.ok(server.requests.length < 10, `${server.requests.length} requests in 60 s`);
  server.answer = () => ({ status: 200, frame: state() });
  await clock.run(16);
  assert.ok(polling.up);
  assert.deepEqual(frames.map(({ fresh }) => fresh), [true]);
});

test("an answer that arrives after a stop is ignored", async () => {
  const { clock, server, frames, polling } = await setUp();
  clock.advance(15);
  polling.stop();
  await clock.run(600, 100);
  assert.deepEqual([frames.length, server.requests.length, polling.up], [1, 2, false]);
});
