/** The numbers behind the chart. */

/** Seconds that the chart shows. */
export const SPAN = 3600;
/** Seconds that one bar stands for. */
export const BAR_WIDTH = 60;
/** Seconds between two samples above which three or more are missing, and what was between them is unknown. */
const MAX_GAP = 50;
/** Seconds between two labels: the first step for which there is room is taken. */
const LABEL_STEPS = [600, 900, 1800, 3600];
/** Seconds that one row of the table stands for. */
const TABLE_STEP = 300;

/**
 * @typedef {object} Point
 * @property {number} at Epoch seconds.
 * @property {number} value
 */

/** Keeps the samples of the last hour. */
export class Samples {
  #samples = /** @type {SampleRow[]} */ ([]);

  get all() {
    return this.#samples;
  }

  /** @param {SampleRow[]} samples */
  replace(samples) {
    this.#samples = [...samples];
  }

  /**
   * @param {SampleRow[]} samples
   * @param {number} now
   */
  add(samples, now) {
    const last = this.#samples.at(-1)?.[0] ?? -Infinity;
    this.#samples.push(...samples.filter(([at]) => at > last));
    this.#samples = this.#samples.filter(([at]) => at > now - SPAN);
  }
}

/**
 * Return the least round number that is not below a value: 1, 2 or 5 times a power of ten, and at least 4.
 * @param {number} value
 */
export function ceiling(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return /** @type {number} */ ([1, 2, 5, 10].find((factor) => factor * power >= value)) * power;
}

/**
 * Return one column of the samples in runs without a gap.
 * @param {SampleRow[]} samples
 * @param {1 | 2} column
 * @returns {Point[][]}
 */
export function runs(samples, column) {
  const result = /** @type {Point[][]} */ ([]);
  let before = -Infinity;
  for (const sample of samples) {
    if (sample[0] - before > MAX_GAP) result.push([]);
    result.at(-1)?.push({ at: sample[0], value: sample[column] });
    before = sample[0];
  }
  return result;
}

/**
 * Return how many sessions ended in each minute, without the minutes in which none did.
 * @param {SampleRow[]} samples
 * @returns {Point[]}
 */
export function endings(samples) {
  const minutes = /** @type {Map<number, number>} */ (new Map());
  for (const [at, , , ended] of samples) {
    const minute = Math.floor(at / BAR_WIDTH) * BAR_WIDTH;
    minutes.set(minute, (minutes.get(minute) ?? 0) + ended);
  }
  return [...minutes].map(([at, value]) => ({ at, value })).filter(({ value }) => value > 0);
}

/**
 * Return the moments to label, at round times.
 * @param {number} now
 * @param {number} room How many labels fit.
 */
export function ticks(now, room) {
  const step = LABEL_STEPS.find((each) => SPAN / each <= room) ?? SPAN;
  const first = Math.ceil((now - SPAN) / step) * step;
  return Array.from({ length: Math.floor((now - first) / step) + 1 }, (_, index) => first + index * step);
}

/**
 * Return the rows of the table: of each five minutes the last sample, and all that ended.
 * @param {SampleRow[]} samples
 * @returns {SampleRow[]}
 */
export function tableRows(samples) {
  const rows = /** @type {Map<number, SampleRow>} */ (new Map());
  for (const [at, active, warned, ended] of samples) {
    const start = Math.floor(at / TABLE_STEP) * TABLE_STEP;
    rows.set(start, [at, active, warned, (rows.get(start)?.[3] ?? 0) + ended]);
  }
  return [...rows.values()].reverse();
}

/**
 * Return the maximum of a column.
 * @param {SampleRow[]} samples
 * @param {1 | 2} column
 */
export function maximum(samples, column) {
  return Math.max(0, ...samples.map((sample) => sample[column]));
}

/**
 * Return how many sessions ended.
 * @param {SampleRow[]} samples
 */
export function totalEnded(samples) {
  return samples.reduce((total, [, , , ended]) => total + ended, 0);
}
