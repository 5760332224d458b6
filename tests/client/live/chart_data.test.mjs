import assert from "node:assert/strict";
import { test } from "node:test";

import { Samples, ceiling, endings, maximum, runs, tableRows, ticks, totalEnded } from "../../../static/idlewatch/live/chart_data.js";

test("the chart's scale is round, and never so fine that one session fills it", () => {
  assert.deepEqual([0, 1, 4, 5, 6, 12, 20, 21, 9999, 10_000].map(ceiling), [4, 4, 4, 5, 10, 20, 20, 50, 10_000, 10_000]);
});

test("a time without samples is a gap in the line", () => {
  const samples = [[0, 1, 0, 0], [15, 2, 0, 0], [30, 2, 1, 0], [300, 5, 0, 0]];
  assert.deepEqual(runs(samples, 1).map((run) => run.map(({ value }) => value)), [[1, 2, 2], [5]]);
  assert.deepEqual(runs([], 1), []);
});

test("endings are summed by the minute, the table has a row for each five", () => {
  const samples = [[0, 1, 0, 2], [45, 2, 0, 1], [60, 2, 1, 0], [310, 5, 1, 4]];
  assert.deepEqual(endings(samples), [{ at: 0, value: 3 }, { at: 300, value: 4 }]);
  assert.deepEqual(tableRows(samples), [[310, 5, 1, 4], [60, 2, 1, 3]]);
});

test("the maximum of a column, and the total that ended", () => {
  const samples = [[0, 3, 1, 2], [15, 7, 0, 0], [30, 5, 4, 9]];
  assert.deepEqual([maximum(samples, 1), maximum(samples, 2), totalEnded(samples)], [7, 4, 11]);
  assert.deepEqual([maximum([], 1), totalEnded([])], [0, 0]);
});

test("labels are at round times, as many as fit", () => {
  assert.deepEqual(ticks(7201, 6), [4200, 4800, 5400, 6000, 6600, 7200]);
  assert.deepEqual(ticks(7201, 2), [5400, 7200]);
  assert.deepEqual(ticks(7201, 0), [7200]);
});

test("samples are kept for an hour, each once", () => {
  const samples = new Samples();
  samples.replace([[100, 1, 0, 0], [3000, 2, 0, 0]]);
  samples.add([[3000, 2, 0, 0], [3800, 3, 0, 0]], 3800);
  assert.deepEqual(samples.all.map(([at]) => at), [3000, 3800]);
});
