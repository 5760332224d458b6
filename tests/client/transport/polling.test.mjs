import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { Polling } from "../../../static/idlewatch/transport/polling.js";
import { FakeClock, FakeServer, ended, settle, state } from "../support.mjs";

async function setUp({ interval = 15, answer } = {}) {
  const clock = new FakeClock();
  const server = new FakeServer();
  if (answer) server.answer = answer;
  const frames = [];
  const failures = [];
  const addresses = { state: "/state/", message: "/message/", csrf: "token", token: "page" };
  const polling = new Polling({
    clock,
    server: addresses,
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
  return { clock, server, addresses, frames, failures, polling };
}

test("[R5] it asks for the state, marked as passive, as a script that wants JSON", async () => {
  const { server } = await setUp();
  const [{ address, message, options }] = server.asked;
  assert.equal(address, "/state/?for=page");
  assert.equal(message, null);
  assert.deepEqual(options.headers, { Accept: "application/json", "Idlewatch-Passive": "1" });
  assert.equal(options.cache, "no-store");
});

test("it asks again after each interval", async () => {
  const { clock, server } = await setUp({ interval: 2 });
  for (let round = 0; round < 5; round += 1) {
    clock.advance(2);
    await settle();
  }
  assert.equal(server.asked.length, 6);
});

test("a message goes out by POST with the newest token, and its answer is the state", async () => {
  const { server, addresses, polling, frames } = await setUp();
  addresses.csrf = "newer";
  assert.ok(polling.send({ type: "extend" }));
  await settle();
  const { address, message, options } = server.asked.at(-1);
  assert.deepEqual([address, message, options.method], ["/message/?for=page", { type: "extend" }, "POST"]);
  assert.equal(options.headers["X-CSRFToken"], "newer");
  assert.equal(frames.length, 2);
});

test("messages keep their order, one request at a time", async () => {
  const { server, polling } = await setUp();
  for (const id of ["a", "b", "c"]) polling.send({ type: "release", id });
  assert.equal(server.asked.length, 2);
  await settle();
  assert.deepEqual(
    server.asked.slice(1).map(({ message }) => message.id),
    ["a", "b", "c"],
  );
});

test("a message that comes while the state is asked for is not lost", async () => {
  const { clock, server, polling } = await setUp();
  clock.advance(15);
  polling.send({ type: "extend" });
  await settle();
  assert.deepEqual(
    server.asked.map(({ message }) => message?.type),
    [undefined, undefined, "extend"],
  );
});

test("a sync asks for the state", async () => {
  const { server, polling } = await setUp();
  assert.ok(polling.send({ type: "sync" }));
  assert.equal(server.asked.at(-1).address, "/state/?for=page");
});

test("an ended session and a refused message are answers", async () => {
  const { frames } = await setUp({ answer: () => ({ status: 401, frame: ended() }) });
  assert.equal(frames[0].frame.phase, "ended");
  const refusal = { type: "error", code: "hold_refused", detail: "" };
  const refused = await setUp({ answer: () => ({ status: 400, frame: refusal }) });
  assert.equal(refused.frames[0].frame.code, "hold_refused");
});

for (const [name, answer] of [
  ["a proxy's error page", () => ({ status: 502, frame: state() })],
  ["a sign-in page of another server", () => ({ status: 200, frame: "<html>" })],
  ["a network that is gone", () => new Error("no network")],
]) {
  test(`${name} is a failure`, async () => {
    const { frames, failures, polling } = await setUp({ answer });
    assert.deepEqual(frames, []);
    assert.equal(failures.length, 1);
    assert.ok(!polling.up);
    assert.ok(!polling.send({ type: "extend" }), "what would be lost is refused");
  });
}

test("a server that does not answer for five seconds has failed", async () => {
  const { clock, failures } = await setUp({ answer: () => null });
  clock.advance(4.9);
  await settle();
  assert.deepEqual(failures, []);
  clock.advance(0.1);
  await settle();
  assert.equal(failures.length, 1);
});

test("[R29] failures are followed by longer and longer waits, until an answer", async () => {
  const { clock, server, frames, polling } = await setUp({ answer: () => new Error("no network") });
  for (let second = 0; second < 60; second += 1) {
    clock.advance(1);
    await settle();
  }
  assert.ok(server.asked.length < 10, `${server.asked.length} requests in 60 s`);
  server.answer = () => ({ status: 200, frame: state() });
  clock.advance(16);
  await settle();
  assert.ok(polling.up);
  assert.deepEqual(
    frames.map(({ fresh }) => fresh),
    [true],
  );
});

test("an answer that arrives after a stop is ignored", async () => {
  const { clock, server, frames, polling } = await setUp();
  clock.advance(15);
  polling.stop();
  await settle();
  clock.advance(600);
  await settle();
  assert.equal(frames.length, 1);
  assert.equal(server.asked.length, 2);
  assert.ok(!polling.up);
});

test("the last message outlives the page", async () => {
  const { server, polling } = await setUp();
  polling.sendLast({ type: "activity", ago: 3 });
  assert.equal(server.asked.at(-1).options.keepalive, true);
});
