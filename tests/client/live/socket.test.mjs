import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_QUERY } from "../../../static/idlewatch/live/query.js";
import { LiveSocket } from "../../../static/idlewatch/live/socket.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { FakeClock, FakeNetwork } from "../support.mjs";

function connected() {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const heard = { frames: [], ups: 0, downs: 0, gone: [] };
  const delegate = {
    onFrame: (frame) => heard.frames.push(frame.frame),
    onUp: () => (heard.ups += 1),
    onDown: () => (heard.downs += 1),
    onGone: (code) => heard.gone.push(code),
  };
  const backoff = new Backoff({ base: 1, cap: 15, random: () => 1 });
  const socket = new LiveSocket({ clock, backoff, delegate, open: network.open, random: () => 0.5 });
  socket.watch({ ...DEFAULT_QUERY });
  socket.start();
  opens(network);
  return { clock, network, heard, socket };
}

function opens(network) {
  network.last.readyState = 1;
  network.last.onopen();
}

const page = (frame, query = 1) => ({ type: "page", frame, query, now: 1 });

test("it asks for what is wanted and acknowledges each frame", () => {
  const { network, heard } = connected();
  assert.deepEqual(network.last.sent, [{ type: "watch", query: 1, ...DEFAULT_QUERY }]);
  network.last.receive(page(1));
  assert.deepEqual(network.last.ofType("seen"), [{ type: "seen", frame: 1 }]);
  assert.deepEqual([heard.frames, heard.ups], [[1], 1]);
});

test("the answer to an earlier question is acknowledged, not shown", () => {
  const { network, heard, socket } = connected();
  socket.watch({ ...DEFAULT_QUERY, search: "a" });
  network.last.receive(page(1, 1));
  network.last.receive(page(2, 2));
  assert.deepEqual(heard.frames, [2]);
  assert.equal(network.last.ofType("seen").length, 2);
});

test("a frame that the page fails on is acknowledged all the same, and the next is shown", () => {
  const { network, heard, socket } = connected();
  const { onFrame } = socket.delegate;
  socket.delegate.onFrame = () => {
    throw new Error("a bug");
  };
  assert.throws(() => network.last.receive(page(1)), /a bug/);
  assert.deepEqual(network.last.ofType("seen"), [{ type: "seen", frame: 1 }]);
  socket.delegate.onFrame = onFrame;
  network.last.receive(page(2));
  assert.deepEqual(heard.frames, [2]);
  assert.equal(network.last.ofType("seen").length, 2);
});

test("what is no frame is passed over", () => {
  const { network, heard } = connected();
  for (const text of ["<html>", "null", "7", '{"type":"other"}']) network.last.receive(text);
  assert.deepEqual([heard.frames, heard.ups], [[], 0]);
});

test("it comes back after a loss, and asks anew", () => {
  const { clock, network, heard } = connected();
  network.last.receive(page(1));
  network.last.drop(1006);
  assert.equal(heard.downs, 1);
  clock.advance(1);
  assert.equal(network.sockets.length, 2);
  opens(network);
  assert.equal(network.last.ofType("watch").length, 1);
  network.last.receive(page(1));
  assert.equal(heard.ups, 2);
});

test("waits grow while nobody answers", () => {
  const { clock, network } = connected();
  network.last.drop(1006);
  clock.advance(1);
  network.last.drop(1006);
  clock.advance(1.9);
  assert.equal(network.sockets.length, 2);
  clock.advance(0.1);
  assert.equal(network.sockets.length, 3);
});

test("a network that is gone without a word is noticed", () => {
  const { clock, network, heard } = connected();
  network.last.receive(page(1));
  clock.advance(25);
  assert.equal(network.last.ofType("watch").length, 2, "it asks");
  assert.equal(heard.downs, 0);
  clock.advance(5);
  assert.equal(heard.downs, 1);
});

test("one that answers is not taken for gone", () => {
  const { clock, network, heard } = connected();
  network.last.receive(page(1));
  clock.advance(25);
  network.last.receive(page(2, 2));
  clock.advance(20);
  assert.deepEqual([heard.downs, heard.frames], [0, [1, 2]]);
});

for (const code of [4401, 4403]) {
  test(`${code} is for good`, () => {
    const { clock, network, heard } = connected();
    network.last.drop(code);
    clock.advance(600);
    assert.deepEqual([heard.gone, heard.downs, network.sockets.length], [[code], 0, 1]);
  });
}

for (const code of [4400, 4429]) {
  test(`${code}: it keeps off for a while when the server says that it was too much`, () => {
    const { clock, network, socket } = connected();
    network.last.drop(code);
    socket.hurry();
    clock.advance(90.9);
    assert.equal(network.sockets.length, 1);
    clock.advance(0.1);
    assert.equal(network.sockets.length, 2);
  });
}

test("pages that a server has sent away come back spread out, or later where nobody answers", () => {
  const { clock, network } = connected();
  for (const [wait, opened] of [[1.5, 2], [2, 3], [4, 4]]) {
    network.last.drop(4503);
    clock.advance(wait - 0.1);
    assert.equal(network.sockets.length, opened - 1, `not before ${wait}`);
    clock.advance(0.1);
    assert.equal(network.sockets.length, opened, `after ${wait}`);
  }
});

test("an answer makes the waits short again; a handshake alone does not", () => {
  const { clock, network } = connected();
  for (const wait of [1, 2]) {
    network.last.drop(1006);
    clock.advance(wait);
    opens(network);
  }
  assert.equal(network.sockets.length, 3);
  network.last.drop(1006);
  clock.advance(3.9);
  assert.equal(network.sockets.length, 3);
  clock.advance(0.1);
  opens(network);
  network.last.receive(page(1));
  network.last.drop(1006);
  clock.advance(1);
  assert.equal(network.sockets.length, 5);
});

test("in a hurry it comes back at once, and only once", () => {
  const { clock, network, socket } = connected();
  network.last.drop(1006);
  socket.hurry();
  assert.equal(network.sockets.length, 2);
  socket.hurry();
  clock.advance(1);
  assert.equal(network.sockets.length, 2, "it is connecting already");
});

test("a hurry disturbs no socket that is there, and wakes none that was closed for good", () => {
  const { clock, network, socket } = connected();
  socket.hurry();
  network.last.receive(page(1));
  socket.hurry();
  assert.deepEqual([network.sockets.length, network.last.code], [1, null]);
  network.last.drop(1006);
  socket.stop();
  socket.hurry();
  clock.advance(600);
  assert.equal(network.sockets.length, 1, "stopped");
  socket.start();
  network.last.drop(4401);
  socket.hurry();
  assert.equal(network.sockets.length, 2, "ended");
});

test("stopped, it closes and stays away; started, it comes back", () => {
  const { clock, network, heard, socket } = connected();
  socket.stop();
  assert.equal(network.sockets[0].code, 1000);
  clock.advance(600);
  assert.deepEqual([network.sockets.length, heard.downs], [1, 0]);
  socket.start();
  assert.equal(network.sockets.length, 2);
});

test("a browser that may open no socket tries again later", () => {
  const { clock, network, heard } = connected();
  network.forbidden = true;
  network.last.drop(1006);
  clock.advance(1);
  assert.equal(heard.downs, 2);
  network.forbidden = false;
  clock.advance(2);
  assert.equal(network.sockets.length, 2);
});
