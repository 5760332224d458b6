import assert from "node:assert/strict";
import { test } from "node:test";

import { I18n } from "../../../static/idlewatch/ui/i18n.js";

const STRINGS = { left: "{time} left.", reason_idle: "Because of inactivity.", signed_out: "Signed out." };

test("times for the eye look like a clock", () => {
  const i18n = new I18n(STRINGS, "en");
  assert.deepEqual([0, 0.2, 9, 60, 118.4, 3600, 7384].map((time) => i18n.digits(time)), [
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
  const i18n = new I18n(STRINGS, "en");
  assert.deepEqual([-0.2, -61].map((time) => i18n.digits(time)), ["0:00", "0:00"]);
});

test("times for the ear are i18n, in the page's language", () => {
  assert.equal(new I18n(STRINGS, "en").spoken(90), "1 minute, 30 seconds");
  assert.equal(new I18n(STRINGS, "en").spoken(3600), "1 hour");
  assert.equal(new I18n(STRINGS, "en").spoken(0), "0 seconds");
  assert.equal(new I18n(STRINGS, "de").spoken(120), "2 Minuten");
});

test("a page that names no language, or none that is one, still speaks", () => {
  assert.ok(new I18n(STRINGS, "").spoken(5).includes("5"));
  assert.ok(new I18n(STRINGS, "no such language").spoken(5).includes("5"));
});

test("a reason has its sentence, an unknown one the plain fact", () => {
  const i18n = new I18n(STRINGS, "en");
  assert.equal(i18n.reason("idle"), "Because of inactivity.");
  assert.equal(i18n.reason("new"), "Signed out.");
  assert.equal(i18n.reason(null), "Signed out.");
  assert.equal(i18n.say("left", "1:00"), "1:00 left.");
});
