/** The numbers behind the chart. */

/** Seconds that it shows. */
export const SPAN = 3600;
/** Seconds between two samples beyond which nobody knows what was between them: three were missed. */
const GAP = 50;
/** Seconds: the time between two labels, by how many of them there is room for. */
const STEPS = [600, 900, 1800, 3600];
/** Seconds that one bar stands for. */
export const BAR = 60;

/**
 * @typedef {object} Point
 * @property {number} at
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
 * The least round number that is at least as large: 1, 2 or 5 times a power of ten, and 4 for the smallest.
 * @param {number} value
 */
export function ceiling(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return /** @type {number} */ ([1, 2, 5, 10].find((factor) => factor * power >= value)) * power;
}

/**
 * One column of the samples in runs without a gap.
 * @param {SampleRow[]} samples
 * @param {1 | 2} column
 * @returns {Point[][]}
 */
export function runs(samples, column) {
  const found = /** @type {Point[][]} */ ([]);
  let before = -Infinity;
  for (const sample of samples) {
    if (sample[0] - before > GAP) found.push([]);
    found.at(-1)?.push({ at: sample[0], value: sample[column] });
    before = sample[0];
  }
  return found;
}

/**
 * How many ended in each minute in which one did.
 * @param {SampleRow[]} samples
 * @returns {Point[]}
 */
export function endings(samples) {
  const minutes = /** @type {Map<number, number>} */ (new Map());
  for (const [at, , , ended] of samples) {
    const minute = Math.floor(at / BAR) * BAR;
    minutes.set(minute, (minutes.get(minute) ?? 0) + ended);
  }
  return [...minutes].map(([at, value]) => ({ at, value })).filter(({ value }) => value > 0);
}

/**
 * The moments to label, at round times.
 * @param {number} now
 * @param {number} room How many labels there is room for.
 */
export function ticks(now, room) {
  const step = STEPS.find((each) => SPAN / each <= room) ?? SPAN;
  const first = Math.ceil((now - SPAN) / step) * step;
  return Array.from({ length: Math.floor((now - first) / step) + 1 }, (_, place) => first + place * step);
}

/**
 * What a table says of it: the last sample, and all that ended, in each five minutes.
 * @param {SampleRow[]} samples
 * @returns {SampleRow[]}
 */
export function table(samples) {
  const rows = /** @type {Map<number, SampleRow>} */ (new Map());
  for (const [at, active, warned, ended] of samples) {
    const start = Math.floor(at / 300) * 300;
    rows.set(start, [at, active, warned, (rows.get(start)?.[3] ?? 0) + ended]);
  }
  return [...rows.values()].reverse();
}

/**
 * @param {SampleRow[]} samples
 * @param {1 | 2} column
 */
export function most(samples, column) {
  return Math.max(0, ...samples.map((sample) => sample[column]));
}

/** @param {SampleRow[]} samples */
export function sum(samples) {
  return samples.reduce((total, [, , , ended]) => total + ended, 0);
}
