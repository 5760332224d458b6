import assert from "node:assert/strict";
import { test } from "node:test";

import { Announcer } from "../../static/idlewatch/announcer.js";
import { Words } from "../../static/idlewatch/words.js";

const STRINGS = { left: "{time} left.", reason_idle: "Because of inactivity.", signed_out: "Signed out." };

test("times for the eye look like a clock", () => {
  const words = new Words(STRINGS, "en");
  assert.deepEqual([0, 0.2, 9, 60, 118.4, 3600, 7384].map((time) => words.digits(time)), [
    "0:00",
    "0:01",
    "0:09",
    "1:00",
    "1:59",
    "1:00:00",
    "2:03:04",
  ]);
});

test("a countdown is never below nothing", () => {
  const words = new Words(STRINGS, "en");
  assert.deepEqual([-0.2, -61].map((time) => words.digits(time)), ["0:00", "0:00"]);
});

test("times for the ear are words, in the page's language", () => {
  assert.equal(new Words(STRINGS, "en").spoken(90), "1 minute, 30 seconds");
  assert.equal(new Words(STRINGS, "en").spoken(3600), "1 hour");
  assert.equal(new Words(STRINGS, "en").spoken(0), "0 seconds");
  assert.equal(new Words(STRINGS, "de").spoken(120), "2 Minuten");
});

test("a page that names no language, or none that is one, still speaks", () => {
  assert.ok(new Words(STRINGS, "").spoken(5).includes("5"));
  assert.ok(new Words(STRINGS, "no such language").spoken(5).includes("5"));
});

test("a reason has its sentence, an unknown one the plain fact", () => {
  const words = new Words(STRINGS, "en");
  assert.equal(words.reason("idle"), "Because of inactivity.");
  assert.equal(words.reason("new"), "Signed out.");
  assert.equal(words.reason(null), "Signed out.");
  assert.equal(words.say("left", "1:00"), "1:00 left.");
});

test("[R35] a countdown is spoken at steps, not each second", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.start(120);
  for (let left = 120; left >= 0; left -= 0.25) announcer.tick(left);
  assert.deepEqual(spoken, [60, 30, 10]);
});

test("[R35] a long one is spoken each minute, and steps that were slept through are not made up for", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.start(300);
  for (const left of [299, 241, 240, 200, 65, 20, 15, 0]) announcer.tick(left);
  assert.deepEqual(spoken, [240, 120, 30]);
});
