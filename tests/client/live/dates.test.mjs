import assert from "node:assert/strict";
import { test } from "node:test";

import { Dates } from "../../../static/idlewatch/live/dates.js";

const plain = (text) => text.replace(/\s/g, " ");

test("times are in the site's zone, or in the browser's if it does not know that zone", () => {
  const moment = Date.UTC(2026, 0, 1, 21, 5) / 1000;
  const minute = (zone) => plain(new Dates("en", zone).minute(moment));
  assert.deepEqual(["UTC", "Asia/Tokyo"].map(minute), ["9:05 PM", "6:05 AM"]);
  assert.equal(minute("Mars/Olympus"), minute(Intl.DateTimeFormat().resolvedOptions().timeZone));
});

test("a moment of the last twelve hours has a time, an earlier one a date too", () => {
  const now = Date.UTC(2026, 0, 2, 9, 5, 7) / 1000;
  const dates = new Dates("en", "UTC");
  const hoursAgo = (hours) => plain(dates.short(now - hours * 3600, now));
  assert.equal(hoursAgo(0), "9:05:07 AM");
  assert.equal(plain(dates.short(now - 12 * 3600 + 1, now)), "9:05:08 PM");
  for (const [hours, date] of [[12, "Jan 1"], [36, "Dec 31"]]) {
    assert.ok(hoursAgo(hours).startsWith(date), hoursAgo(hours));
    assert.ok(hoursAgo(hours).endsWith("9:05 PM"), hoursAgo(hours));
  }
});

test("the full form has date, time and zone", () => {
  assert.equal(plain(new Dates("en", "UTC").full(Date.UTC(2026, 0, 2, 9, 5, 7) / 1000)), "January 2, 2026 at 9:05:07 AM UTC");
});
