import assert from "node:assert/strict";
import { test } from "node:test";

import { PageOwner } from "../../../static/idlewatch/auth/page_owner.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { FakeClock, settle } from "../support.mjs";

/** A page owner with a server that answers when the test says so. */
function setUp() {
  const server = { page: "/page/", csrf: "old", token: "first" };
  const requests = [];
  const received = [];
  const fetch = (address) => new Promise((resolve, reject) => requests.push({ address, resolve, reject }));
  const delegate = { onRenewed: (csrf) => received.push(csrf), onForeign: () => received.push("foreign") };
  const answer = async (body, status = 200) => {
    requests.at(-1).resolve({ ok: status === 200, status, json: async () => body });
    await settle();
  };
  const clock = new FakeClock();
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  const owner = new PageOwner({ server, fetch, delegate, clock, backoff });
  owner.ask();
  return { clock, server, requests, received, answer, owner };
}

for (const [name, { status, ...body }, received, tokens] of [
  ["its user's next session, and takes its tokens", { page: "renewed", csrf: "new", token: "second" }, ["new"], ["new", "second"]],
  ["another user's session", { page: "foreign" }, ["foreign"], ["old", "first"]],
  ["its own session", { page: "current", csrf: "new", token: "first" }, [], ["old", "first"]],
  ["no session", { status: 401, type: "state", phase: "ended" }, [], ["old", "first"]],
]) {
  test(`[R32] a page that asks finds ${name}`, async () => {
    const all = setUp();
    assert.equal(all.requests[0].address, "/page/?for=first");
    await all.answer(body, status);
    assert.deepEqual(all.received, received);
    assert.deepEqual([all.server.csrf, all.server.token], tokens);
    all.clock.advance(3600);
    assert.equal(all.requests.length, 1, "the answer is final");
  });
}

test("[R29] an unreachable server is asked again, after longer and longer waits", async () => {
  const { clock, requests, received, answer } = setUp();
  requests[0].reject(new TypeError("no network"));
  await settle();
  clock.advance(3);
  assert.equal(requests.length, 2);
  await answer("<h1>Bad gateway</h1>", 502);
  clock.advance(4.9);
  assert.equal(requests.length, 2);
  clock.advance(0.1);
  assert.equal(requests.length, 3);
  await answer({ page: "foreign" });
  assert.deepEqual(received, ["foreign"]);
});

test("a second request while one is under way is sent afterwards: the first answer may be out of date", async () => {
  const { requests, answer, owner } = setUp();
  owner.ask();
  owner.ask();
  assert.equal(requests.length, 1);
  await answer({ page: "current" });
  assert.equal(requests.length, 2);
  await answer({ page: "current" });
  assert.equal(requests.length, 2);
});
