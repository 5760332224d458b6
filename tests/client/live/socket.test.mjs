import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_QUERY } from "../../../static/idlewatch/live/query.js";
import { LiveSocket } from "../../../static/idlewatch/live/socket.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { FakeClock, FakeNetwork, reconnectsAfter } from "../support.mjs";

function connected() {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const received = { frames: [], ups: 0, downs: 0, gone: [] };
  const delegate = {
    onFrame: (frame) => received.frames.push(frame.frame),
    onUp: () => (received.ups += 1),
    onDown: () => (received.downs += 1),
    onGone: (code) => received.gone.push(code),
  };
  const backoff = new Backoff({ base: 1, cap: 15, random: () => 1 });
  const socket = new LiveSocket({ clock, backoff, delegate, open: network.open, random: () => 0.5 });
  socket.watch({ ...DEFAULT_QUERY });
  socket.start();
  network.last.accept();
  return { clock, network, received, socket };
}

const page = (frame, query = 1) => ({ type: "page", frame, query, now: 1 });

test("it sends the query, and acknowledges each frame; what is no frame is ignored", () => {
  const { network, received } = connected();
  assert.deepEqual(network.last.sent, [{ type: "watch", query: 1, ...DEFAULT_QUERY }]);
  for (const text of ["<html>", "null", "7", '{"type":"other"}']) network.last.receive(text);
  assert.deepEqual([received.frames, received.ups], [[], 0]);
  network.last.receive(page(1));
  assert.deepEqual(network.last.ofType("seen"), [{ type: "seen", frame: 1 }]);
  assert.deepEqual([received.frames, received.ups], [[1], 1]);
});

test("the answer to an earlier question is acknowledged, not shown", () => {
  const { network, received, socket } = connected();
  socket.watch({ ...DEFAULT_QUERY, search: "a" });
  network.last.receive(page(1, 1));
  network.last.receive(page(2, 2));
  assert.deepEqual(received.frames, [2]);
  assert.equal(network.last.ofType("seen").length, 2);
});

test("a frame on which the page fails is still acknowledged, and the next is shown", () => {
  const { network, received, socket } = connected();
  const { onFrame } = socket.delegate;
  socket.delegate.onFrame = () => {
    throw new Error("a bug");
  };
  assert.throws(() => network.last.receive(page(1)), /a bug/);
  socket.delegate.onFrame = onFrame;
  network.last.receive(page(2));
  assert.deepEqual(received.frames, [2]);
  assert.deepEqual(network.last.ofType("seen").map(({ frame }) => frame), [1, 2]);
});

test("it comes back after a loss and sends the query again, after waits that only an answer shortens", () => {
  const all = connected();
  const { network, received } = all;
  for (const wait of [1.5, 2, 4]) {
    network.last.drop(1006);
    reconnectsAfter(all, wait);
    network.last.accept();
    assert.equal(network.last.ofType("watch").length, 1);
  }
  network.last.receive(page(1));
  network.last.drop(1006);
  reconnectsAfter(all, 1.5);
  assert.deepEqual([received.ups, received.downs], [1, 4]);
});

test("a network that is gone without a close is noticed, a server that answers is not given up", () => {
  const { clock, network, received } = connected();
  network.last.receive(page(1));
  clock.advance(25);
  assert.equal(network.last.ofType("watch").length, 2, "it asks");
  network.last.receive(page(2, 2));
  clock.advance(25);
  assert.deepEqual([received.downs, received.frames], [0, [1, 2]]);
  clock.advance(5);
  assert.equal(received.downs, 1);
});

for (const code of [4401, 4403]) {
  test(`${code} is for good, unless the page tries again`, () => {
    const { clock, network, received, socket } = connected();
    network.last.drop(code);
    socket.hurry();
    clock.advance(600);
    assert.deepEqual([received.gone, received.downs, network.sockets.length], [[code], 0, 1]);
  });
}

for (const code of [4400, 4429]) {
  test(`${code}: it stays away for a while after it has sent or opened too much`, () => {
    const all = connected();
    all.network.last.drop(code);
    all.socket.hurry();
    reconnectsAfter(all, 91);
  });
}

test("a browser that may open no socket tries again later, also when the page is in a hurry", () => {
  const { clock, network, received, socket } = connected();
  network.forbidden = true;
  network.last.drop(1006);
  clock.advance(1.5);
  assert.equal(received.downs, 2);
  network.forbidden = false;
  socket.hurry();
  socket.hurry();
  assert.equal(network.sockets.length, 2);
});
