import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { ActionServer, Refusal, Run } from "../../static/idlewatch/live/actions.js";
import { Banner } from "../../static/idlewatch/live/banner.js";
import { PLAIN, change, clean, findTheSame, fromAddress, toAddress } from "../../static/idlewatch/live/query.js";
import { Rows } from "../../static/idlewatch/live/rows.js";
import { Samples, ceiling, endings, most, runs, sum, table, ticks } from "../../static/idlewatch/live/scale.js";
import { MOST, Selection } from "../../static/idlewatch/live/selection.js";
import { ServerTime } from "../../static/idlewatch/live/time.js";
import { LiveWords, countdown } from "../../static/idlewatch/live/words.js";
import { FakeClock } from "./support.mjs";

const row = (id, changes = {}) => ({ id, user: id, tabs: 1, phase: "active", ends: 100, ...changes });
const ids = (rows) => rows.shown.map(({ row: { id }, gone }) => (gone ? `${id}†` : id));

function filled(...names) {
  const rows = new Rows();
  rows.replace(names.map((name) => row(name)), true);
  return rows;
}

test("rows change, come, go and move with what the server says", () => {
  const rows = filled("a", "b");
  rows.change({ rows: { a: { tabs: 2 }, c: row("c") }, order: ["c", "a"] });
  assert.deepEqual(ids(rows), ["c", "a"]);
  assert.equal(rows.get("a").tabs, 2);
  assert.equal(rows.get("a").user, "a");
  assert.equal(rows.get("b"), undefined);
  assert.equal(rows.waiting, 0);
});

test("at rest the order stays, values change, and who left is marked where they were", () => {
  const rows = filled("a", "b", "c");
  rows.resting = true;
  rows.change({ rows: { b: { tabs: 3 }, d: row("d") }, order: ["d", "c", "b"] });
  assert.deepEqual(ids(rows), ["a†", "b", "c"]);
  assert.equal(rows.shown[1].row.tabs, 3);
  assert.equal(rows.waiting, 4, "one left, one came, two changed places");
  rows.settle();
  assert.deepEqual(ids(rows), ["d", "c", "b"]);
  assert.equal(rows.waiting, 0);
});

test("a page that the operator asked for is shown at once; one that comes after an outage rests", () => {
  const rows = filled("a", "b");
  rows.resting = true;
  rows.replace([row("c"), row("a")], false);
  assert.deepEqual(ids(rows), ["a", "b†"]);
  rows.replace([row("c"), row("a")], true);
  assert.deepEqual(ids(rows), ["c", "a"]);
});

test("a rest of hours keeps no more than is shown", () => {
  const rows = filled("a");
  rows.resting = true;
  for (let turn = 0; turn < 1000; turn += 1) rows.change({ rows: { [turn]: row(String(turn)) }, order: [String(turn)] });
  assert.equal(rows.get("500"), undefined);
  assert.equal(rows.get("a").user, "a");
});

test("an order that names a row nobody told of shows the others", () => {
  const rows = filled("a", "b");
  rows.change({ order: ["b", "unknown", "a"] });
  assert.deepEqual(ids(rows), ["b", "a"]);
  assert.deepEqual([rows.ids, rows.waiting], [["b", "a"], 0]);
  rows.resting = true;
  rows.change({ order: ["unknown", "b"] });
  assert.deepEqual([ids(rows), rows.waiting], [["b", "a†"], 1]);
  rows.settle();
  assert.deepEqual(ids(rows), ["b"]);
});

test("what the address says is what is asked for, and back", () => {
  const wanted = fromAddress("?q=ada%20l&phase=warned&connected=no&sort=-seen&p=3&size=100");
  assert.deepEqual(wanted, { search: "ada l", phase: "warned", connected: "no", sort: "-seen", page: 3, size: 100 });
  assert.deepEqual(fromAddress(`?${toAddress(wanted)}`), wanted);
  assert.equal(toAddress(PLAIN), "");
});

test("nonsense in the address is the usual", () => {
  assert.deepEqual(fromAddress("?phase=ended&connected=1&sort=--user&p=0&size=7"), { ...PLAIN });
  assert.equal(fromAddress("?p=1e400").page, 1);
  assert.equal(fromAddress("?p=9999999").page, 1_000_000);
  assert.equal(fromAddress(`?q=${"x".repeat(300)}`).search.length, 100);
  assert.equal(fromAddress("?q=a%00b").search, "ab");
});

test("a search is cut between characters, as the server counts them", () => {
  const long = "x".repeat(99);
  assert.equal(clean(`${long}😀y`), `${long}😀`);
  assert.equal(clean("😀".repeat(101)), "😀".repeat(100));
  assert.equal(fromAddress(`?${new URLSearchParams({ q: `${long}😀y` })}`).search, `${long}😀`);
  assert.equal(clean(` ${"x".repeat(100)} `), "x".repeat(100), "what is around it does not count");
});

test("whoever looks for something else begins on the first page", () => {
  const wanted = { ...PLAIN, page: 7 };
  assert.equal(change(wanted, { search: "a" }).page, 1);
  assert.equal(change(wanted, { page: 8 }).page, 8);
  assert.ok(findTheSame(wanted, { ...wanted, page: 2, sort: "user" }));
  assert.ok(!findTheSame(wanted, { ...wanted, phase: "warned" }));
});

test("a page, some of it, or all that match are selected", () => {
  const selection = new Selection();
  const page = ["a", "b", "c"];
  assert.equal(selection.share(page), "none");
  selection.set("a", true, page);
  assert.equal(selection.share(page), "some");
  selection.setPage(page, true);
  assert.equal(selection.share(page), "all");
  selection.setPage(["d"], true);
  assert.deepEqual(selection.ids, ["a", "b", "c", "d"]);
  selection.selectAll();
  assert.ok(selection.has("z") && !selection.empty);
  selection.set("b", false, page);
  assert.deepEqual([selection.all, selection.ids], [false, ["a", "c"]]);
});

test("no more are selected by their ids than the server takes", () => {
  const selection = new Selection();
  selection.setPage(Array.from({ length: MOST + 5 }, (_, place) => `s${place}`), true);
  assert.equal(selection.ids.length, MOST);
});

test("to select or leave out a page after all that match leaves that page, or nothing", () => {
  const selection = new Selection();
  selection.setPage(["a", "b"], true);
  for (const [page, selected, left] of [[["c", "d"], true, ["c", "d"]], [["c", "d"], false, []], [[], true, []]]) {
    selection.selectAll();
    selection.setPage(page, selected);
    assert.deepEqual([selection.all, selection.ids], [false, left]);
  }
  assert.ok(selection.empty);
});

test("a selection is full once it holds as many as the server takes, until one is taken out", () => {
  const selection = new Selection();
  selection.setPage(Array.from({ length: MOST - 1 }, (_, place) => `s${place}`), true);
  assert.equal(selection.full, false);
  selection.set("last", true, []);
  assert.equal(selection.full, true);
  selection.set("more", true, []);
  assert.deepEqual([selection.full, selection.has("more")], [true, false]);
  selection.set("s0", false, []);
  assert.equal(selection.full, false);
  selection.set("more", true, []);
  assert.equal(selection.full, true);
  selection.selectAll();
  assert.equal(selection.full, false, "all that match are not told by their ids");
});

test("a lost connection is said once it has not come back soon, and until it has", () => {
  const clock = new FakeClock();
  const element = { hidden: true, textContent: "" };
  const words = { say: (what) => what, moment: String };
  const banner = new Banner({ root: { querySelector: () => element }, clock, words });
  banner.lost();
  clock.advance(1);
  banner.up();
  clock.advance(5);
  assert.equal(element.textContent, "", "it was back before anybody could have read it");
  banner.lost();
  clock.advance(1);
  banner.lost();
  clock.advance(0.6);
  assert.deepEqual(element, { hidden: false, textContent: "lost" });
  banner.up();
  assert.deepEqual(element, { hidden: true, textContent: "" });
  banner.unavailable(5);
  assert.equal(element.textContent, "unavailable");
  banner.clear();
  banner.lost();
  banner.stop();
  clock.advance(5);
  assert.deepEqual(element, { hidden: true, textContent: "" });
});

test("a countdown runs by the server's clock and stops at nothing", () => {
  const clock = new FakeClock();
  const time = new ServerTime(clock);
  time.hear(5000);
  clock.advance(2.5);
  assert.equal(time.now(), 5002.5);
  clock.sleep(60);
  assert.ok(time.now() >= 5060);
  assert.deepEqual([61, 0.2, 0, -5, 3600, 43199].map(countdown), ["1:01", "0:01", "0:00", "0:00", "1:00:00", "11:59:59"]);
});

test("a sentence takes the form that the number has in the catalogue", () => {
  const which = Array.from({ length: 200 }, (_, n) => (n % 10 === 1 && n % 100 !== 11 ? "0" : "1")).join("");
  const plurals = { total: { forms: ["{n} sesja", "{n} sesje"], which } };
  const words = new LiveWords({ strings: { hello: "{user} {user} {other}" }, plurals, language: "en" });
  assert.deepEqual([1, 2, 11, 21, 10_011, 10_021].map((n) => words.count("total", n)), [
    "1 sesja",
    "2 sesje",
    "11 sesje",
    "21 sesja",
    "10,011 sesje",
    "10,021 sesja",
  ]);
  assert.equal(words.say("hello", { user: "{other}" }), "{other} {other} {other}");
});

test("times are told in the site's zone, or in the browser's where it does not know that", () => {
  const at = Date.UTC(2026, 0, 1, 21, 5) / 1000;
  const minute = (zone) => new LiveWords({ strings: {}, plurals: {}, language: "en", zone }).minute(at).replace(/\s/g, " ");
  assert.deepEqual(["UTC", "Asia/Tokyo"].map(minute), ["9:05 PM", "6:05 AM"]);
  assert.equal(minute("Mars/Olympus"), minute(Intl.DateTimeFormat().resolvedOptions().timeZone));
});

test("a moment of the last twelve hours is told by its time, an earlier one with its day", () => {
  const now = Date.UTC(2026, 0, 2, 9, 5, 7) / 1000;
  const words = new LiveWords({ strings: {}, plurals: {}, language: "en", zone: "UTC" });
  const hoursAgo = (hours) => words.moment(now - hours * 3600, now).replace(/\s/g, " ");
  assert.equal(hoursAgo(0), "9:05:07 AM");
  assert.equal(words.moment(now - 12 * 3600 + 1, now).replace(/\s/g, " "), "9:05:08 PM");
  for (const [hours, day] of [[12, "Jan 1"], [36, "Dec 31"]]) {
    assert.ok(hoursAgo(hours).startsWith(day), hoursAgo(hours));
    assert.ok(hoursAgo(hours).endsWith("9:05 PM"), hoursAgo(hours));
  }
});

test("the chart's scale is round, and never so fine that one session fills it", () => {
  assert.deepEqual([0, 1, 4, 5, 6, 12, 20, 21, 9999, 10_000].map(ceiling), [4, 4, 4, 5, 10, 20, 20, 50, 10_000, 10_000]);
});

test("no line is drawn over a time in which nothing was counted", () => {
  const samples = [[0, 1, 0, 0], [15, 2, 0, 0], [30, 2, 1, 0], [300, 5, 0, 0]];
  assert.deepEqual(runs(samples, 1).map((run) => run.map(({ value }) => value)), [[1, 2, 2], [5]]);
  assert.deepEqual(runs([], 1), []);
});

test("endings are summed by the minute, and samples told by five", () => {
  const samples = [[0, 1, 0, 2], [45, 2, 0, 1], [60, 2, 1, 0], [310, 5, 1, 4]];
  assert.deepEqual(endings(samples), [{ at: 0, value: 3 }, { at: 300, value: 4 }]);
  assert.deepEqual(table(samples), [[310, 5, 1, 4], [60, 2, 1, 3]]);
});

test("the most of a column, and all that ended, are what the samples say", () => {
  const samples = [[0, 3, 1, 2], [15, 7, 0, 0], [30, 5, 4, 9]];
  assert.deepEqual([most(samples, 1), most(samples, 2), sum(samples)], [7, 4, 11]);
  assert.deepEqual([most([], 1), sum([])], [0, 0]);
});

test("labels stand at round times, as many as there is room for", () => {
  assert.deepEqual(ticks(7201, 6), [4200, 4800, 5400, 6000, 6600, 7200]);
  assert.deepEqual(ticks(7201, 2), [5400, 7200]);
  assert.deepEqual(ticks(7201, 0), [7200]);
});

test("samples are kept for an hour, each once", () => {
  const samples = new Samples();
  samples.replace([[100, 1, 0, 0], [3000, 2, 0, 0]]);
  samples.add([[3000, 2, 0, 0], [3800, 3, 0, 0]], 3800);
  assert.deepEqual(samples.all.map(([at]) => at), [3000, 3800]);
});

const words = new LiveWords({ strings: { unreachable: "away", refused: "no" }, plurals: {}, language: "en" });

function answering(...answers) {
  return answeringWith(() => "token", ...answers);
}

function answeringWith(token, ...answers) {
  const asked = [];
  const fetch = async (address, { headers, body }) => {
    asked.push({ address, token: headers["X-CSRFToken"], ...JSON.parse(body) });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return { ok: !answer.status, status: answer.status ?? 200, json: async () => JSON.parse(answer.text ?? JSON.stringify(answer.body)) };
  };
  const addresses = { count: "/count/", act: "/act/" };
  return { asked, server: new ActionServer({ fetch, addresses, words, token }) };
}

const step = (done, cursor) => ({ body: { done, own: 0, cursor } });

test("an action goes on step by step until there is no cursor", async () => {
  const { asked, server } = answering(step(200, "x"), step(120, null));
  const run = new Run({ server, action: "end", chosen: { watches: ["a"] }, before: 7 });
  const seen = [];
  await run.go(({ done }) => seen.push(done));
  assert.deepEqual(seen, [200, 320]);
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x"]);
  assert.deepEqual(asked[0], { address: "/act/", token: "token", action: "end", watches: ["a"], before: 7, cursor: "" });
});

test("what each step left alone and reached is summed", async () => {
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

test("a stopped action that is begun again goes on where it was, and keeps count", async () => {
  const { asked, server } = answering(step(200, "x"), step(5, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await run.go(() => run.stop());
  await run.go(() => {});
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x"]);
  assert.deepEqual([run.stopped, run.outcome.done], [false, 205]);
});

test("a stopped action begins no further step", async () => {
  const { asked, server } = answering(step(200, "x"), step(200, "y"));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await run.go(() => run.stop());
  assert.equal(asked.length, 1);
  assert.deepEqual([run.stopped, run.outcome.done], [true, 200]);
});

test("one that is stopped during its last step is done", async () => {
  const { server } = answering(step(200, "x"), step(20, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await run.go(({ done }) => done === 220 && run.stop());
  assert.deepEqual([run.stopped, run.outcome.done], [false, 220]);
});

test("an answer that is lost on the way may be asked for again", async () => {
  const fetch = async () => ({ ok: true, status: 200, json: () => Promise.reject(new TypeError("network error")) });
  const server = new ActionServer({ fetch, addresses: { count: "/count/", act: "/act/" }, words, token: () => "token" });
  await assert.rejects(server.act({}), (refusal) => refusal instanceof Refusal && refusal.message === "away" && !refusal.lasting);
});

test("after a failure it goes on where it was, and keeps count", async () => {
  const { asked, server } = answering(step(200, "x"), new Error("lost"), step(5, null));
  const run = new Run({ server, action: "end", chosen: { watches: [] }, before: 7 });
  await assert.rejects(run.go(() => {}), (refusal) => refusal instanceof Refusal && refusal.message === "away" && !refusal.lasting);
  await run.go(() => {});
  assert.equal(run.outcome.done, 205);
  assert.deepEqual(asked.map(({ cursor }) => cursor), ["", "x", "x"]);
});

test("a refusal says why, and whether trying again is of use", async () => {
  const { server } = answering({ status: 403, body: { detail: "Not you." } }, { status: 503, body: { detail: "Later." } }, { status: 403, body: null });
  const failing = async () => server.count("end", { watches: [] }).then(() => assert.fail(), ({ message, lasting }) => [message, lasting]);
  assert.deepEqual(await failing(), ["Not you.", true]);
  assert.deepEqual(await failing(), ["Later.", false]);
  assert.deepEqual(await failing(), ["no", true]);
});

test("an answer that is no JSON is a refusal with a sentence", async () => {
  const page = "<html>Bad gateway</html>";
  const { server } = answering({ text: page, status: 502 }, { text: page, status: 404 }, { text: page });
  const failing = async () =>
    server.count("end", { watches: [] }).then(() => assert.fail("it was taken for an answer"), (refusal) => {
      assert.ok(refusal instanceof Refusal, String(refusal));
      return [refusal.message, refusal.lasting];
    });
  assert.deepEqual(await failing(), ["away", false]);
  assert.deepEqual(await failing(), ["no", true]);
  assert.deepEqual(await failing(), ["no", true], "that of another page, to which the request was led");
});

test("the token is read anew for each request: signing in changes it", async () => {
  const tokens = ["one", "two", "three"];
  const { asked, server } = answeringWith(() => tokens.shift(), { body: {} }, step(1, "x"), step(1, null));
  await server.count("end", { watches: [] });
  await new Run({ server, action: "end", chosen: { watches: [] }, before: 7 }).go(() => {});
  assert.deepEqual(asked.map(({ token }) => token), ["one", "two", "three"]);
});

const FOLDER = new URL("../../static/idlewatch/live/", import.meta.url);
const MODULES = readdirSync(FOLDER).filter((name) => name.endsWith(".js"));
const IMPORT = /^import \{ [\w, ]+ \} from "(\.\.?\/[\w.]+)";$/;
const code = (name) => readFileSync(new URL(name, FOLDER), "utf8");

test("[R27] the live page's modules load what is there, in the one form, and need no more than `default-src 'self'`", () => {
  const forbidden = /\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|\.style\b|createObjectURL|document\.write/;
  for (const name of MODULES) {
    assert.doesNotMatch(code(name), forbidden, name);
    for (const line of code(name).split("\n")) {
      assert.doesNotMatch(line, /^export .* from /, name);
      if (/\bimport\b/.test(line)) readFileSync(new URL(IMPORT.exec(line)[1], FOLDER));
    }
  }
});

test("[R23] the live page reads no cookie and stores nothing", () => {
  for (const name of MODULES) assert.doesNotMatch(code(name), /\.cookie\b|localStorage|sessionStorage|indexedDB/, name);
});

test("what decides knows no document", () => {
  for (const name of ["actions", "protocol", "query", "rows", "scale", "selection", "socket", "time", "words"]) {
    const bare = code(`${name}.js`).replace(/\/\*\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(bare, /\b(document|window)\b/, name);
  }
});
