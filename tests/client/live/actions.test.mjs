import assert from "node:assert/strict";
import { test } from "node:test";

import { ActionServer, Refusal, Run } from "../../../static/idlewatch/live/actions.js";
import { I18n } from "../../../static/idlewatch/ui/i18n.js";

const i18n = new I18n({ strings: { unreachable: "away", refused: "no" }, language: "en" });

const answering = (...answers) => answeringWith(() => "token", ...answers);

function answeringWith(token, ...answers) {
  const asked = [];
  const fetch = async (address, { headers, body }) => {
    asked.push({ address, token: headers["X-CSRFToken"], ...JSON.parse(body) });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return { ok: !answer.status, status: answer.status ?? 200, json: async () => JSON.parse(answer.text ?? JSON.stringify(answer.body)) };
  };
  const addresses = { count: "/count/", act: "/act/" };
  return { asked, server: new ActionServer({ fetch, addresses, i18n, token }) };
}

const step = (done, cursor) => ({ body: { done, own: 0, cursor } });

test("an action goes on until there is no cursor", async () => {
  const { asked, server } = answering(step(200, "x"), step(120, null));
  const run = new Run({ server, action: "end", chosen: { watches: ["a"] }, before: 7 });
  const seen = [];
  await run.go(({ done }) => seen.push(done));
  assert.deepEqual(seen, [200, 320]);
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x"]);
  assert.deepEqual(asked[0], { address: "/act/", token: "token", action: "end", watches: ["a"], before: 7, cursor: "" });
});

test("the outcomes of the steps are summed", async () => {
  const { server } = answering(
    { body: { done: 3, own: 1, tabs: { reached: 4, open: 5 }, cursor: "x" } },
    { body: { done: 2, own: 0, cursor: "y" } },
    { body: { done: 1, own: 2, tabs: { reached: 10, open: 20 }, cursor: null } },
  );
  const run = new Run({ server, action: "notice", chosen: { watches: [] }, before: 7, text: "Hello" });
  const seen = [];
  await run.go((outcome) => seen.push(outcome));
  assert.deepEqual(seen, [
    { done: 3, own: 1, reached: 4, open: 5 },
    { done: 5, own: 1, reached: 4, open: 5 },
    { done: 6, own: 3, reached: 14, open: 25 },
  ]);
  assert.deepEqual(run.outcome, seen[2]);
});

test("a stopped action can be continued, and keeps count", async () => {
  const { asked, server } = answering(step(200, "x"), step(5, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await run.go(() => run.stop());
  assert.equal(asked.length, 1, "no further step is begun");
  assert.deepEqual([run.stopped, run.outcome.done], [true, 200]);
  await run.go(() => {});
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x"]);
  assert.deepEqual([run.stopped, run.outcome.done], [false, 205]);
});

test("an action that is stopped during its last step is done", async () => {
  const { server } = answering(step(200, "x"), step(20, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await run.go(({ done }) => done === 220 && run.stop());
  assert.deepEqual([run.stopped, run.outcome.done], [false, 220]);
});

test("an action continues after a failure, and keeps count", async () => {
  const { asked, server } = answering(step(200, "x"), new Error("lost"), step(5, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await assert.rejects(run.go(() => {}), (refusal) => refusal instanceof Refusal && refusal.message === "away" && !refusal.permanent);
  await run.go(() => {});
  assert.equal(run.outcome.done, 205);
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x", "x"]);
});

test("a refusal has a reason, and is permanent or not", async () => {
  const { server } = answering({ status: 403, body: { detail: "Not you." } }, { status: 503, body: { detail: "Later." } }, { status: 403, body: null });
  const failing = async () => server.count("end", { watches: [] }).then(() => assert.fail(), ({ message, permanent }) => [message, permanent]);
  assert.deepEqual(await failing(), ["Not you.", true]);
  assert.deepEqual(await failing(), ["Later.", false]);
  assert.deepEqual(await failing(), ["no", true]);
});

test("an answer that is not JSON is a refusal with a sentence", async () => {
  const page = "<html>Bad gateway</html>";
  const { server } = answering({ text: page, status: 502 }, { text: page, status: 404 }, { text: page });
  const failing = async () =>
    server.count("end", { watches: [] }).then(() => assert.fail("it was taken for an answer"), (refusal) => {
      assert.ok(refusal instanceof Refusal, String(refusal));
      return [refusal.message, refusal.permanent];
    });
  assert.deepEqual(await failing(), ["away", false]);
  assert.deepEqual(await failing(), ["no", true]);
  assert.deepEqual(await failing(), ["no", true], "that of another page, to which the request was led");
});

test("the token is read for each request: signing in changes it", async () => {
  const tokens = ["one", "two", "three"];
  const { asked, server } = answeringWith(() => tokens.shift(), { body: {} }, step(1, "x"), step(1, null));
  await server.count("end", { watches: [] });
  await new Run({ server, action: "end", chosen: { watches: [] }, before: 7 }).go(() => {});
  assert.deepEqual(asked.map(({ token }) => token), ["one", "two", "three"]);
});
