import assert from "node:assert/strict";
import { test } from "node:test";

import { ActionServer, Refusal, Run } from "../../../static/idlewatch/live/actions.js";
import { LiveI18n } from "../../../static/idlewatch/live/i18n.js";

const i18n = new LiveI18n({ strings: { unreachable: "away", refused: "no" }, language: "en" });

function answering(...answers) {
  const requests = [];
  const fetch = async (address, { headers, body }) => {
    requests.push({ address, token: headers["X-Token"], ...JSON.parse(body) });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    const { status = 200, body: frame, text = JSON.stringify(frame) } = answer;
    return { ok: status === 200, status, json: async () => JSON.parse(text) };
  };
  const context = { addresses: { count: "/count/", act: "/act/" }, csrfHeader: "X-Token", i18n };
  return { requests, server: new ActionServer({ ...context, fetch, token: () => `token ${requests.length}` }) };
}

const step = (done, cursor, changes = {}) => ({ body: { done, own: 0, cursor, ...changes } });
const runOn = (server, changes = {}) => new Run({ server, action: "end", chosen: { watches: ["a"] }, before: 7, ...changes });

test("an action goes on until there is no cursor, and sums the outcomes of its steps", async () => {
  const { requests, server } = answering(
    step(3, "x", { own: 1, tabs: { reached: 4, open: 5 } }),
    step(2, "y"),
    step(1, null, { own: 2, tabs: { reached: 10, open: 20 } }),
  );
  const run = runOn(server, { action: "notice", text: "Hello" });
  const seen = [];
  await run.go((outcome) => seen.push(outcome));
  assert.deepEqual(seen, [
    { done: 3, own: 1, reached: 4, open: 5 },
    { done: 5, own: 1, reached: 4, open: 5 },
    { done: 6, own: 3, reached: 14, open: 25 },
  ]);
  assert.deepEqual(run.outcome, seen[2]);
  assert.deepEqual(requests.map(({ cursor }) => cursor), ["", "x", "y"]);
  const { cursor, token, ...message } = requests[0];
  assert.deepEqual(message, { address: "/act/", action: "notice", watches: ["a"], before: 7, text: "Hello" });
});

test("a stopped action can be continued, and keeps count", async () => {
  const { requests, server } = answering(step(200, "x"), step(5, null));
  const run = runOn(server);
  await run.go(() => run.stop());
  assert.equal(requests.length, 1, "no further step is begun");
  assert.deepEqual([run.stopped, run.outcome.done], [true, 200]);
  await run.go(() => {});
  assert.deepEqual(requests.map(({ cursor }) => cursor), ["", "x"]);
  assert.deepEqual([run.stopped, run.outcome.done], [false, 205]);
});

test("an action that is stopped during its last step is done", async () => {
  const { server } = answering(step(200, "x"), step(20, null));
  const run = runOn(server);
  await run.go(({ done }) => done === 220 && run.stop());
  assert.deepEqual([run.stopped, run.outcome.done], [false, 220]);
});

test("an action continues after a failure, and keeps count", async () => {
  const { requests, server } = answering(step(200, "x"), new Error("lost"), step(5, null));
  const run = runOn(server);
  await assert.rejects(run.go(() => {}), new Refusal("away", false));
  await run.go(() => {});
  assert.equal(run.outcome.done, 205);
  assert.deepEqual(requests.map(({ cursor }) => cursor), ["", "x", "x"]);
});

test("a refusal has a reason, and is permanent or not; an answer that is not JSON is one too", async () => {
  const text = "<html>Bad gateway</html>";
  for (const [answer, detail, permanent] of [
    [{ status: 403, body: { detail: "Not you." } }, "Not you.", true],
    [{ status: 503, body: { detail: "Later." } }, "Later.", false],
    [{ status: 403, body: null }, "no", true],
    [{ status: 502, text }, "away", false],
    [{ status: 404, text }, "no", true],
    [{ status: 200, text }, "no", true], // That of another page, to which the request was led.
  ]) {
    await assert.rejects(answering(answer).server.count("end", { watches: [] }), new Refusal(detail, permanent));
  }
});

test("the token is read for each request: signing in changes it", async () => {
  const { requests, server } = answering({ body: {} }, step(1, "x"), step(1, null));
  await server.count("end", { watches: [] });
  await runOn(server).go(() => {});
  assert.deepEqual(requests.map(({ token }) => token), ["token 0", "token 1", "token 2"]);
});
