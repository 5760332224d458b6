/** The chart of the last hour: three strips over one time axis, and the same numbers in a sentence and a table. */

import { partOf, setPartText, setText } from "../ui/dom.js";
import { BAR_WIDTH, SPAN, Samples, ceiling, endings, maximum, runs, tableRows, ticks, totalEnded } from "./chart_data.js";
import { lines, round, shape } from "./svg.js";

/** Pixels. */
const STRIP_HEIGHT = 44;
const HEADING_HEIGHT = 18;
const AXIS_HEIGHT = 20;
const HEIGHT = 3 * (STRIP_HEIGHT + HEADING_HEIGHT) + AXIS_HEIGHT;
const MARGIN = 4;
const LABEL_WIDTH = 84;
const MIN_WIDTH = 200;

/** Draws the samples. */
export class Chart {
  #samples = new Samples();
  #width = 0;
  #counts = /** @type {Counts | null} */ (null);
  #headings = /** @type {Map<string, Element>} */ (new Map());
  #observer;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {LiveI18n} options.i18n
   * @param {Dates} options.dates
   * @param {() => number} options.now Epoch seconds, by the server's clock.
   */
  constructor({ root, i18n, dates, now }) {
    this.root = root;
    this.i18n = i18n;
    this.dates = dates;
    this.now = now;
    this.plot = partOf(root, "plot");
    this.#observer = new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.#width) this.#draw();
    });
  }

  start() {
    this.#observer.observe(this.plot);
  }

  stop() {
    this.#observer.disconnect();
  }

  /** @param {SampleRow[]} samples */
  replace(samples) {
    this.#samples.replace(samples);
    this.#draw();
  }

  /** @param {SampleRow[]} samples */
  add(samples) {
    this.#samples.add(samples, this.now());
    this.#draw();
  }

  /**
   * Show the present numbers, which are newer than the last sample.
   * @param {Counts} counts
   */
  count(counts) {
    this.#counts = counts;
    this.#write();
  }

  #draw() {
    const samples = this.#samples.all;
    this.#width = this.plot.clientWidth;
    this.plot.hidden = partOf(this.root, "chart-table").hidden = samples.length === 0;
    partOf(this.root, "chart-rows").replaceChildren(...tableRows(samples).map((row) => this.#tableRow(row)));
    this.#headings.clear();
    if (samples.length > 0) this.plot.replaceChildren(this.#svg(samples, Math.max(MIN_WIDTH, this.#width), this.now()));
    this.#write();
  }

  /** Write the sentence and the headings. */
  #write() {
    const samples = this.#samples.all;
    const last = samples.at(-1);
    if (last === undefined) {
      setPartText(this.root, "chart-words", this.i18n.text("chart_empty"));
      return;
    }
    const { active, warned } = this.#counts ?? { active: last[1], warned: last[2] };
    const sentence = this.i18n.text("chart", {
      active,
      warned,
      most_active: Math.max(active, maximum(samples, 1)),
      most_warned: Math.max(warned, maximum(samples, 2)),
      ended: totalEnded(samples),
    });
    setPartText(this.root, "chart-words", sentence);
    for (const [name, number] of Object.entries({ active, warned })) {
      const heading = this.#headings.get(name);
      if (heading !== undefined) setText(heading, `${this.i18n.text(name)} ${this.i18n.number(number)}`);
    }
  }

  /**
   * @param {SampleRow[]} samples
   * @param {number} width
   * @param {number} now
   */
  #svg(samples, width, now) {
    const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, focusable: "false" });
    const x = (/** @type {number} */ at) => round(MARGIN + ((at - now + SPAN) / SPAN) * (width - 2 * MARGIN));
    for (const at of ticks(now, Math.floor(width / LABEL_WIDTH))) svg.append(...this.#tick(x(at), at, width));
    svg.append(
      ...this.#strip(0, width, "active", maximum(samples, 1), (y) => lines(runs(samples, 1), x, y)),
      ...this.#strip(1, width, "warned", maximum(samples, 2), (y) => lines(runs(samples, 2), x, y)),
    );
    const bars = endings(samples);
    const highest = Math.max(0, ...bars.map(({ value }) => value));
    const barWidth = Math.max(2, x(BAR_WIDTH) - x(0) - 1);
    const bar = (/** @type {Point} */ { at, value }, /** @type {(value: number) => number} */ y) =>
      shape("rect", { x: x(Math.max(at, now - SPAN)), y: y(value), width: barWidth, height: round(y(0) - y(value)) });
    svg.append(...this.#strip(2, width, "ended", highest, (y) => bars.map((point) => bar(point, y))));
    return svg;
  }

  /**
   * @param {number} index
   * @param {number} width
   * @param {"active" | "warned" | "ended"} name
   * @param {number} highest
   * @param {(y: (value: number) => number) => Element[]} draw
   */
  #strip(index, width, name, highest, draw) {
    const top = index * (STRIP_HEIGHT + HEADING_HEIGHT) + HEADING_HEIGHT;
    const bottom = top + STRIP_HEIGHT;
    const scale = ceiling(highest);
    const group = shape("g", { class: `live-${name}` });
    group.append(...draw((value) => round(top + STRIP_HEIGHT * (1 - value / scale))));
    const text = name === "ended" ? this.i18n.text("chart_ended") : "";
    const heading = shape("text", { class: "live-heading", x: MARGIN, y: top - 5 }, text);
    this.#headings.set(name, heading);
    const right = width - MARGIN;
    return [
      shape("line", { class: "live-grid", x1: MARGIN, x2: right, y1: top, y2: top }),
      shape("line", { class: "live-base", x1: MARGIN, x2: right, y1: bottom, y2: bottom }),
      group,
      heading,
      shape("text", { class: "live-scale", x: right, y: top - 5, "text-anchor": "end" }, this.i18n.number(scale)),
    ];
  }

  /**
   * @param {number} x
   * @param {number} at
   * @param {number} width
   */
  #tick(x, at, width) {
    const anchor = x < LABEL_WIDTH / 2 ? "start" : x > width - LABEL_WIDTH / 2 ? "end" : "middle";
    return [
      shape("line", { class: "live-grid", x1: x, x2: x, y1: HEADING_HEIGHT, y2: HEIGHT - AXIS_HEIGHT }),
      shape("text", { class: "live-scale", x, y: HEIGHT - 5, "text-anchor": anchor }, this.dates.minute(at)),
    ];
  }

  /** @param {SampleRow} row */
  #tableRow([at, ...numbers]) {
    const row = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = this.dates.minute(at);
    row.append(heading);
    for (const number of numbers) row.insertCell().textContent = this.i18n.number(number);
    return row;
  }
}
