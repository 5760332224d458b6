import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSE } from "../../../static/idlewatch/core/protocol.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { TabSocket } from "../../../static/idlewatch/transport/websocket.js";
import { FakeClock, FakeNetwork, reconnectsAfter, state } from "../support.mjs";

function setUp({ random = () => 1, forbidden = false } = {}) {
  const clock = new FakeClock();
  const network = Object.assign(new FakeNetwork(), { forbidden });
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

test("a socket is up once the server has sent the state, and its first frame is marked; what is no frame is ignored", () => {
  const { network, socket, frames } = setUp();
  for (const text of ["<html>", "null", "[]", '{"type":"state"}', '{"type":"state","phase":"active"}', "{}"]) {
    network.last.receive(text);
  }
  assert.ok(!socket.up);
  assert.ok(!socket.send({ type: "sync" }));
  network.last.receive(state());
  network.last.receive(state({ version: 2 }));
  assert.ok(socket.up);
  assert.deepEqual(frames.map(({ fresh }) => fresh), [true, false]);
});

test("[R40] a navigation is announced by the close code, and the socket comes back if the page stays", () => {
  const { clock, network, socket, losses } = setUp();
  socket.leave();
  assert.equal(network.last.code, null, "nothing is announced without a connection");
  network.last.receive(state());
  socket.leave();
  assert.equal(network.last.code, CLOSE.NAVIGATED);
  assert.deepEqual(losses, []);
  clock.advance(2);
  assert.equal(network.sockets.length, 2);
});

test("[R29] a lost connection comes back after a random wait, which grows with each failure", () => {
  const all = connected();
  for (const wait of [5, 5, 8]) {
    all.network.last.drop(1006);
    reconnectsAfter(all, wait);
  }
  assert.deepEqual(all.losses, [
    { code: 1006, wasUp: true, timedOut: false },
    { code: 1006, wasUp: false, timedOut: false },
    { code: 1006, wasUp: false, timedOut: false },
  ]);
});

test("[R29] a server that accepts and drops at once is not hammered; the loss of a stable connection starts with a short wait", () => {
  const all = connected();
  for (const [lived, wait] of [[5, 5], [5, 5], [9.9, 8], [10, 5], [60, 5]]) {
    all.clock.advance(lived);
    all.network.last.drop(1011);
    reconnectsAfter(all, wait);
    all.network.last.receive(state());
  }
});

for (const code of [CLOSE.GOING_AWAY, 1001, 1006, 1011, 1012, 1013]) {
  test(`[R26] pages come back within some seconds, spread out, whatever a server that goes away says, such as ${code}`, () => {
    for (const random of [0.6, 1]) {
      const all = connected({ random: () => random });
      all.network.last.drop(code);
      reconnectsAfter(all, 5 * random);
    }
  });
}

for (const [name, code] of [["opened too many", CLOSE.TOO_MANY], ["sent what is malformed", CLOSE.BAD_MESSAGES]]) {
  test(`[R26] pages come back at least a minute after they ${name}`, () => {
    const all = connected({ random: () => 0 });
    all.network.last.drop(code);
    reconnectsAfter(all, 60);
  });
}

test("[R26] a connection that the server or the browser forbids is not tried again", () => {
  const refused = connected();
  refused.network.last.drop(CLOSE.FORBIDDEN);
  for (const { clock, network, losses } of [refused, setUp({ forbidden: true })]) {
    const before = network.sockets.length;
    network.forbidden = false;
    clock.advance(3600);
    assert.deepEqual([losses.length, network.sockets.length], [1, before]);
  }
});

for (const questions of [["extend", "sync"], ["sync", "extend"]]) {
  test(`a server that leaves ${questions[0]} unanswered for five seconds counts as unreachable, whatever else is asked`, () => {
    const all = connected();
    const { clock, network, socket, losses } = all;
    const first = network.last;
    for (const type of questions) {
      assert.ok(socket.send({ type }));
      clock.advance(2.4);
    }
    assert.deepEqual(losses, []);
    clock.advance(0.2);
    assert.equal(losses[0].timedOut, true);
    assert.equal(first.code, CLOSE.NAVIGATED, "the page is not being closed");
    first.receive(state());
    assert.ok(!socket.up, "a dead socket is not received any more");
    reconnectsAfter(all, 5);
  });
}

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
  test(`[R41] a page that goes away closes with ${code}, and opens nothing until it is started again`, () => {
    const { clock, network, socket, losses } = connected();
    socket.stop(code);
    socket.hurry();
    clock.advance(600);
    assert.deepEqual([network.last.code, network.sockets.length, losses], [code, 1, []]);
    socket.start();
    socket.start();
    assert.equal(network.sockets.length, 2);
    network.last.receive(state());
    assert.ok(socket.up);
  });
}
