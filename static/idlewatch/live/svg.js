/** Shapes of the chart. */

const NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
export function shape(name, attributes, text) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Draw each run of points as a line and the area below it; a single point as a dot.
 * @param {Point[][]} runs
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
export function lines(runs, x, y) {
  return runs.flatMap((run) => {
    const points = run.map(({ at, value }) => `${x(at)} ${y(value)}`).join("L");
    const [first, last] = [x(run[0].at), x(run[run.length - 1].at)];
    if (run.length === 1) return [shape("circle", { cx: first, cy: y(run[0].value), r: 2 })];
    return [
      shape("path", { class: "live-area", d: `M${first} ${y(0)}L${points}L${last} ${y(0)}Z` }),
      shape("path", { class: "live-line", d: `M${points}` }),
    ];
  });
}

/** @param {number} value Pixels, which are drawn to a tenth. */
export function round(value) {
  return Math.round(value * 10) / 10;
}
