import assert from "node:assert/strict";
import { test } from "node:test";

import { pollInterval, untilRefresh } from "../../../static/idlewatch/core/schedule.js";
import { state, warned } from "../support.mjs";

const seconds = (changes, overdue = false) => untilRefresh({ hidden: false, ...state(changes) }, overdue, 15);

test("polls are a heartbeat apart, two seconds during the warning", () => {
  assert.deepEqual([null, state(), warned()].map((frame) => pollInterval(frame, 15)), [15, 15, 2]);
});

test("a countdown is refreshed at each full second", () => {
  assert.equal(seconds({ phase: "warned", remaining: 9.25 }), 0.25);
  assert.equal(seconds({ phase: "warned", remaining: 9 }), 1);
});

test("otherwise a refresh comes when the warning is due, or with the heartbeat", () => {
  assert.equal(seconds({ remaining: 900 }), 15);
  assert.equal(seconds({ remaining: 125 }), 5);
  assert.equal(seconds({ remaining: 120 }), 1);
  assert.equal(untilRefresh({ hidden: false, ...state() }, false, 60), 30);
});

test("while the server is overdue, or the content hidden, it is refreshed each second", () => {
  assert.equal(seconds({ remaining: 900 }, true), 1);
  assert.equal(seconds({ hidden: true }), 1);
});
