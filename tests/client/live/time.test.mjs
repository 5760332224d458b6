import assert from "node:assert/strict";
import { test } from "node:test";

import { ServerTime } from "../../../static/idlewatch/live/time.js";
import { FakeClock } from "../support.mjs";

test("a countdown runs by the server's clock and never goes back", () => {
  const clock = new FakeClock();
  const time = new ServerTime(clock);
  time.set(5000);
  clock.advance(2.5);
  assert.equal(time.now(), 5002.5);
  clock.sleep(60);
  assert.ok(time.now() >= 5060);
});
