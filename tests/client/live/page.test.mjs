import assert from "node:assert/strict";
import { test } from "node:test";

import { LivePage } from "../../../static/idlewatch/live/page.js";
import { FakeElement, dispatch, fakeWindow, listeners, observers } from "../dom.mjs";
import { FakeClock, FakeNetwork } from "../support.mjs";

const CONFIG = {
  count: "/count/",
  act: "/act/",
  record: "/record/0/",
  account: "/account/?q=",
  present: "mine",
  language: "en",
  zone: "UTC",
  strings: {},
  plurals: new Proxy({}, { get: () => ({ forms: ["{n}"], which: "0".repeat(200) }) }),
};

const SESSION = { device: "", address: "", started: 1, seen: 2, tabs: 1, hold: null, phase: "active", reason: null, ends: 100, mine: false };
const row = (id) => ({ id, user: id, ...SESSION });
const frame = (changes = {}) => ({
  type: "page",
  frame: 1,
  query: 1,
  now: 1000,
  counts: { active: 2, warned: 0, connected: 1 },
  total: 2,
  bounded: false,
  page: 1,
  pages: 1,
  rows: [row("mine"), row("other")],
  samples: [[990, 2, 0, 0]],
  ...changes,
});

function setUp({ search = "", ...changes } = {}) {
  const window = fakeWindow(`https://site.example/live/${search}`);
  globalThis.document = window.document;
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const root = new FakeElement(window.document);
  const page = new LivePage({ root, window, clock, config: { ...CONFIG, ...changes }, open: network.open });
  page.start();
  const see = (visibilityState) => {
    window.document.visibilityState = visibilityState;
    dispatch(window.document, "visibilitychange");
  };
  return { window, clock, network, root, page, see };
}

/** A page whose every timer runs: countdowns, typing, the pause of the order and its count, hiding, the lost connection. */
function busy() {
  const all = setUp();
  const { network, root, page, see } = all;
  network.last.accept();
  network.last.receive(frame());
  dispatch(root.part("rows"), "pointerenter", { pointerType: "mouse" });
  network.last.receive({ type: "changes", frame: 2, query: 1, now: 1001, order: ["other"], samples: [[1001, 1, 0, 0]] });
  dispatch(root.part("rows"), "pointerleave", { pointerType: "mouse" });
  dispatch(page.view.toolbar.field, "input");
  see("hidden");
  network.last.drop(1006);
  return all;
}

test("nothing remains of a page that was stopped: no listener, no timer, no socket", () => {
  const { clock, network, page } = busy();
  assert.ok(listeners.size > 20, `${listeners.size} listeners`);
  assert.ok(clock.timers.length >= 6, `${clock.timers.length} timers`);
  assert.equal(observers.size, 1);
  clock.advance(3);
  assert.equal(network.sockets.length, 2, "it has connected again");
  page.stop();
  assert.deepEqual([...listeners], []);
  assert.deepEqual(clock.timers, []);
  assert.equal(observers.size, 0);
  assert.equal(network.last.code, 1000);
  clock.advance(3600);
  assert.equal(network.sockets.length, 2);
});

test("a page that is started again is what it was", () => {
  const { network, page } = setUp();
  const before = listeners.size;
  page.stop();
  page.start();
  assert.equal(listeners.size, before);
  assert.equal(network.sockets.length, 2);
});

test("a hidden page closes its socket after a while, and opens it when it is visible again", () => {
  const { clock, network, see } = setUp();
  network.last.receive(frame());
  see("hidden");
  clock.advance(9);
  assert.equal(network.last.code, null);
  clock.advance(1);
  assert.equal(network.last.code, 1000);
  see("visible");
  assert.equal(network.sockets.length, 2);
});

test("the query is that of the address, and its changes are written there", () => {
  const { window, network, page } = setUp({ search: "?q=ada" });
  network.last.accept();
  assert.equal(network.last.sent[0].search, "ada");
  page.view.toolbar.onQuery({ phase: "warned" });
  assert.equal(network.last.sent[1].phase, "warned");
  page.view.toolbar.onQuery({ search: "", phase: "" });
  assert.deepEqual(window.history.addresses, ["?q=ada&phase=warned", "/live/"]);
});

test("a page beyond the last one becomes the last one", () => {
  const { window, network } = setUp({ search: "?p=7" });
  network.last.accept();
  network.last.receive(frame({ page: 3, pages: 3 }));
  assert.deepEqual(window.history.addresses, ["?p=3"]);
  assert.equal(network.last.ofType("watch").at(-1).page, 3);
});

test("an operator's own session cannot be selected", () => {
  const { network, page } = busy();
  page.view.table.delegate.onSelectPage(true);
  assert.deepEqual(page.selection.ids, ["other"]);
  network.last.drop(4403);
});

test("a page whose session has ended is reloaded when its user has signed in again, no other", () => {
  const { window, network, root } = setUp();
  dispatch(window.document, "idlewatch:state");
  assert.equal(window.location.reloads, 0);
  network.last.drop(4401);
  dispatch(window.document, "idlewatch:state");
  assert.equal(window.location.reloads, 1);
  assert.ok(!root.part("content").removed);
});

test("an operator whose permission is gone sees nothing more, and nothing goes on", () => {
  const { clock, network, root } = busy();
  clock.advance(3);
  network.last.drop(4403);
  assert.ok(root.part("content").removed);
  assert.equal(root.part("refusal").hidden, false);
  assert.deepEqual([...listeners].filter(({ target }) => target instanceof FakeElement), []);
  clock.advance(3600);
  assert.equal(network.sockets.length, 2);
});

test("without the permission to act there is no action bar", () => {
  assert.equal(setUp({ count: null, act: null }).page.view.actionBar, null);
});
