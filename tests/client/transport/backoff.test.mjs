import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../static/idlewatch/transport/backoff.js";

test("[R29] waits are drawn from a bound that doubles up to the cap, and stays finite for weeks, until a success", () => {
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  const waits = Array.from({ length: 5000 }, () => backoff.next());
  assert.deepEqual(waits.slice(0, 6), [2, 4, 8, 16, 30, 30]);
  assert.equal(waits.at(-1), 30);
  backoff.reset();
  assert.equal(backoff.next(), 2);
});

test("[R29] five thousand pages that lost one server come back spread evenly over the bound", () => {
  const slots = new Array(10).fill(0);
  for (let page = 0; page < 5000; page += 1) slots[Math.floor(new Backoff({ base: 2, cap: 30 }).next() * 5)] += 1;
  for (const pages of slots) assert.ok(pages > 350 && pages < 650, `${pages} pages in one tenth`);
});
