/** The chart of the last hour: three strips over one axis, each with a scale of its own, and the same in words. */

import { BAR, SPAN, Samples, ceiling, endings, most, runs, sum, table, ticks } from "./chart_data.js";
import { partOf, setPartText, setText } from "../ui/dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** Pixels. */
const STRIP = 44;
const HEADING = 18;
const AXIS = 20;
const HEIGHT = 3 * (STRIP + HEADING) + AXIS;
const SIDE = 4;
const LABEL = 84;
const LEAST = 200;

/** Draws the samples. */
export class Chart {
  #samples = new Samples();
  #width = 0;
  #counts = /** @type {Counts | null} */ (null);
  #headings = /** @type {Map<string, Element>} */ (new Map());
  #watcher;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {I18n} options.i18n
   * @param {Dates} options.dates
   * @param {() => number} options.now Epoch seconds, the server's.
   */
  constructor({ root, i18n, dates, now }) {
    this.root = root;
    this.i18n = i18n;
    this.dates = dates;
    this.now = now;
    this.plot = partOf(root, "plot");
    this.#watcher = new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.#width) this.draw();
    });
  }

  start() {
    this.#watcher.observe(this.plot);
  }

  stop() {
    this.#watcher.disconnect();
  }

  /** @param {SampleRow[]} samples */
  replace(samples) {
    this.#samples.replace(samples);
    this.draw();
  }

  /** @param {SampleRow[]} samples */
  add(samples) {
    this.#samples.add(samples, this.now());
    this.draw();
  }

  /**
   * What is now is newer than the last sample.
   * @param {Counts} counts
   */
  count(counts) {
    this.#counts = counts;
    this.#tell();
  }

  draw() {
    const samples = this.#samples.all;
    this.#width = this.plot.clientWidth;
    this.plot.hidden = partOf(this.root, "chart-table").hidden = samples.length === 0;
    partOf(this.root, "chart-rows").replaceChildren(...table(samples).map((row) => this.#row(row)));
    this.#headings.clear();
    if (samples.length > 0) {
      this.plot.replaceChildren(this.#svg(samples, Math.max(LEAST, this.plot.clientWidth), this.now()));
    }
    this.#tell();
  }

  /** Write what is now, and what was, in words. */
  #tell() {
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
      most_active: Math.max(active, most(samples, 1)),
      most_warned: Math.max(warned, most(samples, 2)),
      ended: sum(samples),
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
    const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, focusable: "false" });
    const x = (/** @type {number} */ at) => round(SIDE + ((at - now + SPAN) / SPAN) * (width - 2 * SIDE));
    for (const at of ticks(now, Math.floor(width / LABEL))) svg.append(...this.#tick(x(at), at, width));
    svg.append(
      ...this.#strip(0, width, "active", most(samples, 1), (y) => lines(runs(samples, 1), x, y)),
      ...this.#strip(1, width, "warned", most(samples, 2), (y) => lines(runs(samples, 2), x, y)),
    );
    const bars = endings(samples);
    const highest = Math.max(0, ...bars.map(({ value }) => value));
    const wide = Math.max(2, x(BAR) - x(0) - 1);
    svg.append(
      ...this.#strip(2, width, "ended", highest, (y) =>
        bars.map(({ at, value }) => make("rect", { x: x(Math.max(at, now - SPAN)), y: y(value), width: wide, height: round(y(0) - y(value)) })),
      ),
    );
    return svg;
  }

  /**
   * @param {number} place
   * @param {number} width
   * @param {"active" | "warned" | "ended"} name
   * @param {number} highest
   * @param {(y: (value: number) => number) => Element[]} draw
   */
  #strip(place, width, name, highest, draw) {
    const top = place * (STRIP + HEADING) + HEADING;
    const most = ceiling(highest);
    const y = (/** @type {number} */ value) => round(top + STRIP * (1 - value / most));
    const group = make("g", { class: `live-${name}` });
    group.append(...draw(y));
    const heading = make("text", { class: "live-heading", x: SIDE, y: top - 5 }, name === "ended" ? this.i18n.text("chart_ended") : "");
    this.#headings.set(name, heading);
    return [
      make("line", { class: "live-grid", x1: SIDE, x2: width - SIDE, y1: top, y2: top }),
      make("line", { class: "live-base", x1: SIDE, x2: width - SIDE, y1: top + STRIP, y2: top + STRIP }),
      group,
      heading,
      make("text", { class: "live-scale", x: width - SIDE, y: top - 5, "text-anchor": "end" }, this.i18n.number(most)),
    ];
  }

  /**
   * @param {number} x
   * @param {number} at
   * @param {number} width
   */
  #tick(x, at, width) {
    const anchor = x < LABEL / 2 ? "start" : x > width - LABEL / 2 ? "end" : "middle";
    return [
      make("line", { class: "live-grid", x1: x, x2: x, y1: HEADING, y2: HEIGHT - AXIS }),
      make("text", { class: "live-scale", x, y: HEIGHT - 5, "text-anchor": anchor }, this.dates.minute(at)),
    ];
  }

  /** @param {SampleRow} row */
  #row([at, ...numbers]) {
    const row = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = this.dates.minute(at);
    row.append(heading);
    for (const number of numbers) row.insertCell().textContent = this.i18n.number(number);
    return row;
  }
}

/**
 * A line and the area under it, for each run; a run of one is a point.
 * @param {{at: number, value: number}[][]} found
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
function lines(found, x, y) {
  return found.flatMap((run) => {
    const points = run.map(({ at, value }) => `${x(at)} ${y(value)}`).join("L");
    const [first, last] = [x(run[0].at), x(/** @type {{at: number}} */ (run.at(-1)).at)];
    if (run.length === 1) return [make("circle", { cx: first, cy: y(run[0].value), r: 2 })];
    return [
      make("path", { class: "live-area", d: `M${first} ${y(0)}L${points}L${last} ${y(0)}Z` }),
      make("path", { class: "live-line", d: `M${points}` }),
    ];
  });
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
