import assert from "node:assert/strict";
import { test } from "node:test";

import { PageOwner } from "../../../static/idlewatch/auth/page_owner.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { FakeClock, settle } from "../support.mjs";

/** A page owner with a server that answers when the test says so. */
function setUp() {
  const server = { page: "/page/", csrf: "old", token: "first" };
  const asked = [];
  const received = [];
  const fetch = (address) => new Promise((resolve, reject) => asked.push({ address, resolve, reject }));
  const delegate = { onRenewed: (csrf) => received.push(csrf), onForeign: () => received.push("foreign") };
  const answer = async (body, status = 200) => {
    asked.at(-1).resolve({ ok: status === 200, status, json: async () => body });
    await settle();
  };
  const clock = new FakeClock();
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  return { clock, server, asked, received, answer, owner: new PageOwner({ server, fetch, delegate, clock, backoff }) };
}

test("[R32] a page whose user has signed in again gets the tokens of the new session", async () => {
  const { server, asked, received, answer, owner } = setUp();
  owner.ask();
  assert.equal(asked[0].address, "/page/?for=first");
  await answer({ page: "renewed", csrf: "new", token: "second" });
  assert.deepEqual(received, ["new"]);
  assert.deepEqual([server.csrf, server.token], ["new", "second"]);
});

test("a page of another user is reported", async () => {
  const { received, answer, owner } = setUp();
  owner.ask();
  await answer({ page: "foreign" });
  assert.deepEqual(received, ["foreign"]);
});

for (const [what, body, status] of [
  ["its own session", { page: "current", csrf: "new", token: "first" }, 200],
  ["no session", { type: "state", phase: "ended" }, 401],
]) {
  test(`a page that finds ${what} changes nothing`, async () => {
    const { clock, server, asked, received, answer, owner } = setUp();
    owner.ask();
    await answer(body, status);
    assert.deepEqual(received, []);
    assert.equal(server.csrf, "old");
    clock.advance(3600);
    assert.equal(asked.length, 1, "the answer is final");
  });
}

test("[R29] an unreachable server is asked again, after longer and longer waits", async () => {
  const { clock, asked, received, answer, owner } = setUp();
  owner.ask();
  asked[0].reject(new TypeError("no network"));
  await settle();
  clock.advance(3);
  assert.equal(asked.length, 2);
  await answer("<h1>Bad gateway</h1>", 502);
  clock.advance(4.9);
  assert.equal(asked.length, 2);
  clock.advance(0.1);
  assert.equal(asked.length, 3);
  await answer({ page: "foreign" });
  assert.deepEqual(received, ["foreign"]);
  clock.advance(3600);
  assert.equal(asked.length, 3);
});

test("a second request while one is under way is sent afterwards: the first answer may be out of date", async () => {
  const { asked, answer, owner } = setUp();
  owner.ask();
  owner.ask();
  owner.ask();
  assert.equal(asked.length, 1);
  await answer({ page: "current" });
  assert.equal(asked.length, 2);
  await answer({ page: "current" });
  assert.equal(asked.length, 2);
});
