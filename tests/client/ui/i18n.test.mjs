import assert from "node:assert/strict";
import { test } from "node:test";

import { I18n, countdown } from "../../../static/idlewatch/ui/i18n.js";

const STRINGS = { left: "{time} left.", reason_idle: "Because of inactivity.", signed_out: "Signed out." };

const inLanguage = (language) => new I18n({ strings: STRINGS, language });

test("a countdown looks like a clock, and is never negative", () => {
  const shown = { "-61": "0:00", "-0.2": "0:00", 0: "0:00", 0.2: "0:01", 9: "0:09", 60: "1:00", 61: "1:01", 118.4: "1:59" };
  const hours = { 3600: "1:00:00", 7384: "2:03:04", 43199: "11:59:59" };
  for (const [seconds, clock] of Object.entries({ ...shown, ...hours })) assert.equal(countdown(Number(seconds)), clock);
});

test("durations are words in the page's language", () => {
  assert.equal(inLanguage("en").duration(90), "1 minute, 30 seconds");
  assert.equal(inLanguage("en").duration(3600), "1 hour");
  assert.deepEqual([0, -5].map((seconds) => inLanguage("en").duration(seconds)), ["0 seconds", "0 seconds"]);
  // Languages with many plurals differ at 1, 2, 5, 21 and 22.
  const spoken = {
    de: { 60: "1 Minute", 120: "2 Minuten", 90: "1 Minute, 30 Sekunden" },
    fr: { 60: "1 minute", 120: "2 minutes" },
    pl: { 60: "1 minuta", 120: "2 minuty", 300: "5 minut", 1260: "21 minut", 1320: "22 minuty" },
    uk: { 60: "1 хвилина", 120: "2 хвилини", 300: "5 хвилин", 1260: "21 хвилина" },
    ar: { 60: "دقيقة", 120: "دقيقتان", 300: "5 دقائق", 660: "11 دقيقة", 150: "دقيقتان و30 ثانية" },
    ja: { 60: "1 分", 150: "2 分 30 秒" },
    "zh-Hans": { 120: "2分钟", 150: "2分钟30秒钟" },
  };
  for (const [language, times] of Object.entries(spoken)) {
    for (const [seconds, text] of Object.entries(times)) {
      // Which space stands between a number and its unit is the engine's affair.
      assert.equal(inLanguage(language).duration(Number(seconds)).replaceAll(/\s/g, " "), text);
    }
  }
});

test("an unknown language, or none, falls back to the browser's", () => {
  assert.ok(inLanguage("").duration(5).includes("5"));
  assert.ok(inLanguage("no such language").duration(5).includes("5"));
});

test("a reason has its sentence, an unknown one the general sentence", () => {
  const i18n = inLanguage("en");
  assert.equal(i18n.reason("idle"), "Because of inactivity.");
  assert.equal(i18n.reason("new"), "Signed out.");
  assert.equal(i18n.reason(null), "Signed out.");
});

test("a sentence is filled in, and no value is taken for a place", () => {
  assert.equal(inLanguage("en").text("left", { time: "1:00" }), "1:00 left.");
  const names = new I18n({ strings: { hello: "{user} {user} {other}" }, language: "en" });
  assert.equal(names.text("hello", { user: "{other}" }), "{other} {other} {other}");
  assert.equal(names.text("missing"), "");
});
