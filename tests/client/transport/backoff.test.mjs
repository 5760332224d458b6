import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../static/idlewatch/transport/backoff.js";

test("[R29] waits are drawn from a bound that doubles up to the cap", () => {
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  const waits = Array.from({ length: 7 }, () => backoff.next());
  assert.deepEqual(waits, [2, 4, 8, 16, 30, 30, 30]);
});

test("[R29] five thousand pages that lost one server come back spread evenly over the bound", () => {
  const slots = new Array(10).fill(0);
  for (let page = 0; page < 5000; page += 1) {
    const wait = new Backoff({ base: 2, cap: 30 }).next();
    assert.ok(wait >= 0 && wait < 2);
    slots[Math.floor(wait * 5)] += 1;
  }
  for (const pages of slots) assert.ok(pages > 350 && pages < 650, `${pages} pages in one tenth`);
});

test("a page that is offline for weeks waits for a finite time, and a success starts over", () => {
  const backoff = new Backoff({ base: 2, cap: 30, random: () => 1 });
  for (let attempt = 0; attempt < 5000; attempt += 1) backoff.next();
  assert.equal(backoff.next(), 30);
  backoff.reset();
  assert.equal(backoff.next(), 2);
});
