import assert from "node:assert/strict";
import { test } from "node:test";

import { ServerTime } from "../../../static/idlewatch/live/time.js";
import { countdown } from "../../../static/idlewatch/live/words.js";
import { FakeClock } from "../support.mjs";

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
