import assert from "node:assert/strict";
import { test } from "node:test";

import { Announcer } from "../../../static/idlewatch/ui/announcer.js";

test("[R35] a countdown is spoken at steps, not each second", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.begin(120);
  for (let left = 120; left >= 0; left -= 0.25) announcer.tick(left);
  assert.deepEqual(spoken, [60, 30, 10]);
});

test("[R35] a long one is spoken each minute, and steps that were slept through are not made up for", () => {
  const spoken = [];
  const announcer = new Announcer((seconds) => spoken.push(seconds));
  announcer.begin(300);
  for (const left of [299, 241, 240, 200, 65, 20, 15, 0]) announcer.tick(left);
  assert.deepEqual(spoken, [240, 120, 30]);
});
