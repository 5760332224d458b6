import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveI18n } from "../../../static/idlewatch/live/words.js";

test("a sentence takes the form that the number has in the catalogue", () => {
  const which = Array.from({ length: 200 }, (_, n) => (n % 10 === 1 && n % 100 !== 11 ? "0" : "1")).join("");
  const plurals = { total: { forms: ["{n} sesja", "{n} sesje"], which } };
  const i18n = new LiveI18n({ strings: { hello: "{user} {user} {other}" }, plurals, language: "en" });
  assert.deepEqual([1, 2, 11, 21, 10_011, 10_021].map((n) => i18n.count("total", n)), [
    "1 sesja",
    "2 sesje",
    "11 sesje",
    "21 sesja",
    "10,011 sesje",
    "10,021 sesja",
  ]);
  assert.equal(i18n.say("hello", { user: "{other}" }), "{other} {other} {other}");
});

test("times are told in the site's zone, or in the browser's where it does not know that", () => {
  const at = Date.UTC(2026, 0, 1, 21, 5) / 1000;
  const minute = (zone) => new LiveI18n({ strings: {}, plurals: {}, language: "en", zone }).minute(at).replace(/\s/g, " ");
  assert.deepEqual(["UTC", "Asia/Tokyo"].map(minute), ["9:05 PM", "6:05 AM"]);
  assert.equal(minute("Mars/Olympus"), minute(Intl.DateTimeFormat().resolvedOptions().timeZone));
});

test("a moment of the last twelve hours is told by its time, an earlier one with its day", () => {
  const now = Date.UTC(2026, 0, 2, 9, 5, 7) / 1000;
  const i18n = new LiveI18n({ strings: {}, plurals: {}, language: "en", zone: "UTC" });
  const hoursAgo = (hours) => i18n.moment(now - hours * 3600, now).replace(/\s/g, " ");
  assert.equal(hoursAgo(0), "9:05:07 AM");
  assert.equal(i18n.moment(now - 12 * 3600 + 1, now).replace(/\s/g, " "), "9:05:08 PM");
  for (const [hours, day] of [[12, "Jan 1"], [36, "Dec 31"]]) {
    assert.ok(hoursAgo(hours).startsWith(day), hoursAgo(hours));
    assert.ok(hoursAgo(hours).endsWith("9:05 PM"), hoursAgo(hours));
  }
});
