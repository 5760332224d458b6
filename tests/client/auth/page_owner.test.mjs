import assert from "node:assert/strict";
import { test } from "node:test";

import { PageOwner } from "../../../static/idlewatch/auth/page_owner.js";
import { Backoff } from "../../../static/idlewatch/transport/backoff.js";
import { FakeClock, settle } from "../support.mjs";

/** An owner with a server that answers as the test says, when it says so. */
function setUp() {
  const server = { page: "/page/", csrf: "old", token: "first" };
  const asked = [];
  const heard = [];
  const fetch = (address) => new Promise((resolve, reject) => asked.push({ address, resolve, reject }));
  const delegate = { onRenewed: (csrf) => heard.push(csrf), onForeign: () => heard.push("foreign") };
  const answer = async (body, status = 200) => {
    asked.at(-1).resolve({ ok: status === 200, status, json: async () => body });
    await settle();
  };
  const clock = new FakeClock();
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  return { clock, server, asked, heard, answer, owner: new PageOwner({ server, fetch, delegate, clock, backoff }) };
}

test("[R32] a page whose user signed in anew gets the tokens of the new session", async () => {
  const { server, asked, heard, answer, owner } = setUp();
  owner.ask();
  assert.equal(asked[0].address, "/page/?for=first");
  await answer({ page: "renewed", csrf: "new", token: "second" });
  assert.deepEqual(heard, ["new"]);
  assert.deepEqual([server.csrf, server.token], ["new", "second"]);
});

test("a page of somebody else is told so", async () => {
  const { heard, answer, owner } = setUp();
  owner.ask();
  await answer({ page: "foreign" });
  assert.deepEqual(heard, ["foreign"]);
});

for (const [what, body, status] of [
  ["its own session", { page: "current", csrf: "new", token: "first" }, 200],
  ["no session", { type: "state", phase: "ended" }, 401],
]) {
  test(`a page that finds ${what} changes nothing`, async () => {
    const { clock, server, asked, heard, answer, owner } = setUp();
    owner.ask();
    await answer(body, status);
    assert.deepEqual(heard, []);
    assert.equal(server.csrf, "old");
    clock.advance(3600);
    assert.equal(asked.length, 1, "it has been told");
  });
}

test("[R29] a server that can't be reached is asked again, later each time", async () => {
  const { clock, asked, heard, answer, owner } = setUp();
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
  assert.deepEqual(heard, ["foreign"]);
  clock.advance(3600);
  assert.equal(asked.length, 3);
});

test("word that comes while it asks makes it ask once more: the answer under way may be older", async () => {
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
