import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSE } from "../../../static/idlewatch/core/protocol.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { TabSocket } from "../../../static/idlewatch/transport/websocket.js";
import { FakeClock, FakeNetwork, state } from "../support.mjs";

function setUp({ random = () => 1 } = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const frames = [];
  const losses = [];
  const socket = new TabSocket({
    clock,
    random,
    open: network.open,
    backoff: new Backoff({ base: 2, cap: 30, random }),
    delegate: { onFrame: (frame, fresh) => frames.push({ frame, fresh }), onLoss: (loss) => losses.push(loss) },
  });
  socket.start();
  return { clock, network, socket, frames, losses };
}

function connected(options) {
  const all = setUp(options);
  all.network.last.receive(state());
  return all;
}

test("a socket is up once the server has sent the state, and its first frame is marked", () => {
  const { network, socket, frames } = setUp();
  assert.ok(!socket.send({ type: "sync" }));
  network.last.receive(state());
  network.last.receive(state({ version: 2 }));
  assert.ok(socket.up);
  assert.deepEqual(
    frames.map(({ fresh }) => fresh),
    [true, false],
  );
});

test("what is not a frame is ignored", () => {
  const { network, socket, frames } = setUp();
  for (const text of ["<html>", "null", "[]", '{"type":"state"}', '{"type":"state","phase":"active"}', "{}"]) {
    network.last.receive(text);
  }
  assert.deepEqual(frames, []);
  assert.ok(!socket.up);
});

test("[R40] a navigation is announced by the close code, and the socket comes back if the page stays", () => {
  const { clock, network, socket, losses } = connected();
  socket.leave();
  assert.equal(network.last.code, CLOSE.NAVIGATED);
  assert.deepEqual(losses, []);
  clock.advance(2);
  assert.equal(network.sockets.length, 2);
});

test("[R29] a lost connection comes back after a random wait, which grows with each failure", () => {
  const { clock, network, losses } = connected();
  network.last.drop(1006);
  clock.advance(1.9);
  assert.equal(network.sockets.length, 1);
  clock.advance(0.1);
  assert.equal(network.sockets.length, 2);
  network.last.drop(1006);
  clock.advance(3.9);
  assert.equal(network.sockets.length, 2);
  clock.advance(0.1);
  assert.equal(network.sockets.length, 3);
  assert.deepEqual(losses, [
    { code: 1006, wasUp: true, timedOut: false },
    { code: 1006, wasUp: false, timedOut: false },
  ]);
});

test("[R29] a server that accepts and drops at once is not hammered", () => {
  const { clock, network } = setUp();
  for (let round = 0; round < 60; round += 1) {
    network.last.receive(state());
    network.last.drop(1011);
    clock.advance(5);
  }
  assert.ok(network.sockets.length < 20, `${network.sockets.length} attempts in 300 s`);
});

test("[R29] the loss of a stable connection starts with a short wait", () => {
  const { clock, network } = connected();
  for (let round = 0; round < 4; round += 1) {
    clock.advance(60);
    network.last.drop(1006);
    clock.advance(2);
    network.last.receive(state());
  }
  assert.equal(network.sockets.length, 5);
});

test("[R26] a forbidden connection is not tried again", () => {
  const { clock, network } = connected();
  network.last.drop(CLOSE.FORBIDDEN);
  clock.advance(3600);
  assert.equal(network.sockets.length, 1);
});

for (const [name, code, random, seconds] of [
  ["a server has sent them away, within some seconds", CLOSE.GOING_AWAY, 1, 5],
  ["they opened too many, at least a minute later", CLOSE.TOO_MANY, 0, 60],
  ["they sent what is malformed, at least a minute later", CLOSE.BAD_MESSAGES, 0, 60],
]) {
  test(`[R26] pages come back after ${name}`, () => {
    const { clock, network } = connected({ random: () => random });
    network.last.drop(code);
    clock.advance(seconds - 0.1);
    assert.equal(network.sockets.length, 1);
    clock.advance(0.1);
    assert.equal(network.sockets.length, 2);
  });
}

for (const type of ["extend", "sync"]) {
  test(`a server that leaves ${type} unanswered for five seconds counts as unreachable`, () => {
    const { clock, network, socket, losses } = connected();
    const first = network.last;
    assert.ok(socket.send({ type }));
    clock.advance(4.9);
    assert.deepEqual(losses, []);
    clock.advance(0.1);
    assert.equal(losses[0].timedOut, true);
    assert.equal(first.code, CLOSE.NAVIGATED, "the page is not being closed");
    first.receive(state());
    assert.ok(!socket.up, "a dead socket is not received any more");
    clock.advance(2);
    assert.equal(network.sockets.length, 2);
  });
}

test("a navigation without a connection announces nothing", () => {
  const { network, socket } = setUp();
  socket.leave();
  assert.equal(network.last.code, null);
});

test("a second question does not extend the time for the first answer", () => {
  const { clock, socket, losses } = connected();
  socket.send({ type: "extend" });
  clock.advance(3);
  socket.send({ type: "sync" });
  clock.advance(2);
  assert.equal(losses.length, 1);
});

test("an answer in time keeps the socket, and activity needs none", () => {
  const { clock, network, socket, losses } = connected();
  socket.send({ type: "extend" });
  clock.advance(1);
  network.last.receive(state());
  socket.send({ type: "activity", ago: 0 });
  socket.send({ type: "release", id: "x" });
  clock.advance(600);
  assert.deepEqual(losses, []);
});

test("a handshake that hangs is given up", () => {
  const { clock, losses } = setUp();
  clock.advance(10);
  assert.deepEqual(losses, [{ code: CLOSE.NAVIGATED, wasUp: false, timedOut: true }]);
});

test("a browser that forbids sockets is not asked again", () => {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  network.forbidden = true;
  const losses = [];
  const backoff = new Backoff({ base: 2, cap: 30 });
  const delegate = { onFrame() {}, onLoss: (loss) => losses.push(loss) };
  new TabSocket({ clock, backoff, open: network.open, delegate }).start();
  clock.advance(600);
  assert.equal(losses.length, 1);
});

test("`hurry` ends a wait, and opens no second socket", () => {
  const { network, socket } = connected();
  socket.hurry();
  assert.equal(network.sockets.length, 1);
  network.last.drop(1006);
  socket.hurry();
  socket.hurry();
  assert.equal(network.sockets.length, 2);
});

for (const code of [CLOSE.CLOSED, CLOSE.NAVIGATED]) {
  test(`[R41] a page that goes away closes with ${code}, and opens nothing afterwards`, () => {
    const { clock, network, socket, losses } = connected();
    socket.stop(code);
    clock.advance(600);
    assert.equal(network.last.code, code);
    assert.equal(network.sockets.length, 1);
    assert.deepEqual(losses, []);
  });
}

test("[R41] a stopped socket can be started again", () => {
  const { network, socket } = connected();
  socket.stop();
  socket.start();
  socket.start();
  assert.equal(network.sockets.length, 2);
  network.last.receive(state());
  assert.ok(socket.up);
});
