/** Fakes of what the browser gives the client: time, sockets, the server over HTTP. */

import assert from "node:assert/strict";

import { Clock } from "../../static/idlewatch/core/clock.js";

/** A clock that the test advances. */
export class FakeClock extends Clock {
  monotonic = 1000;
  wall = 1_700_000_000;
  timers = [];

  now() {
    return { monotonic: this.monotonic, wall: this.wall };
  }

  after(seconds, callback) {
    const timer = { at: this.monotonic + seconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Let time pass, and make the calls that are due, in order. */
  advance(seconds) {
    const end = this.monotonic + seconds;
    for (let next = this.#due(end); next; next = this.#due(end)) {
      this.#step(Math.max(0, next.at - this.monotonic));
      this.timers = this.timers.filter((other) => other !== next);
      next.callback();
    }
    this.#step(end - this.monotonic);
  }

  /** Let time pass in steps, after each of which promises settle. */
  async run(seconds, step = 1) {
    for (let passed = 0; passed < seconds; passed += step) {
      this.advance(Math.min(step, seconds - passed));
      await settle();
    }
  }

  /** Let time pass while the machine sleeps: the monotonic clock stands still, and no timer runs. */
  sleep(seconds) {
    this.wall += seconds;
  }

  #due(end) {
    return this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
  }

  #step(seconds) {
    this.monotonic += seconds;
    this.wall += seconds;
  }
}

/** A socket whose server is the test. */
export class FakeSocket {
  readyState = 0;
  sent = [];
  code = null;
  onmessage = null;
  onclose = null;

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.code = code;
  }

  /** Complete the handshake. */
  accept() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** Deliver a frame from the server. */
  receive(frame) {
    this.readyState = 1;
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  /** Close it from the other end. */
  drop(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** Return the messages of a type that were sent. */
  ofType(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/** Opens sockets, and keeps them in order. */
export class FakeNetwork {
  sockets = [];
  forbidden = false;

  open = () => {
    if (this.forbidden) throw new Error("a policy forbids it");
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  };

  get last() {
    return this.sockets.at(-1);
  }
}

/** The server over HTTP: answers as the test says, and records the requests. */
export class FakeServer {
  addresses = { state: "/state/", message: "/message/", csrf: "token", csrfHeader: "X-Token", token: "page" };
  requests = [];
  answer = () => ({ status: 200, frame: state() });

  fetch = (address, options) => {
    const message = options.body === undefined ? null : JSON.parse(options.body);
    this.requests.push({ address, message, options });
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      const answer = this.answer(address, message);
      if (answer === null) return;
      if (answer instanceof Error) reject(answer);
      else resolve({ status: answer.status, text: async () => JSON.stringify(answer.frame) });
    });
  };
}

/** Check that the next socket is opened after a wait, not before. */
export function reconnectsAfter({ clock, network }, seconds) {
  const before = network.sockets.length;
  clock.advance(seconds - 0.1);
  assert.equal(network.sockets.length, before);
  clock.advance(0.1);
  assert.equal(network.sockets.length, before + 1);
}

/** Let promises settle; no time passes. */
export async function settle() {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Return a state frame with changes. */
export function state(changes = {}) {
  return {
    type: "state",
    version: 1,
    phase: "active",
    reason: null,
    remaining: 900,
    extendable: true,
    held: false,
    idle_timeout: 900,
    warn_before: 120,
    heartbeat: 15,
    ...changes,
  };
}

/** Return a warning. */
export function warned(changes = {}) {
  return state({ version: 2, phase: "warned", reason: "idle", remaining: 120, ...changes });
}

/** Return an end. */
export function ended(changes = {}) {
  return state({
    version: 3,
    phase: "ended",
    reason: "idle",
    remaining: 0,
    extendable: false,
    login_url: "/login/",
    ...changes,
  });
}
