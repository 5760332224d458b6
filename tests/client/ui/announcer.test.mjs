import assert from "node:assert/strict";
import { test } from "node:test";

import { Announcer } from "../../../static/idlewatch/ui/announcer.js";

test("[R35] a countdown is announced at steps, not each second", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.begin(120);
  for (let left = 120; left >= 0; left -= 0.25) announcer.tick(left);
  assert.deepEqual(spoken, [60, 30, 10]);
});

test("[R35] a long countdown is announced each minute, and missed steps are not repeated", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.begin(300);
  for (const left of [299, 241, 240, 200, 65, 20, 15, 0]) announcer.tick(left);
  assert.deepEqual(spoken, [240, 120, 30]);
});
