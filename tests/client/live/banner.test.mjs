import assert from "node:assert/strict";
import { test } from "node:test";

import { Banner } from "../../../static/idlewatch/live/banner.js";
import { FakeClock } from "../support.mjs";

test("a lost connection is shown after a while, until it is back", () => {
  const clock = new FakeClock();
  const element = { hidden: true, textContent: "" };
  const i18n = { text: (name) => name };
  const dates = { short: String };
  const banner = new Banner({ root: { querySelector: () => element }, clock, i18n, dates });
  banner.lost();
  clock.advance(1);
  banner.up();
  clock.advance(5);
  assert.equal(element.textContent, "", "it was back before it could have been read");
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
