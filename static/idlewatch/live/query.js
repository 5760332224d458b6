/** What the operator looks at: it stands in the page's address, so that reloading and sharing keep it. */

const PHASES = ["active", "warned"];
const CONNECTED = ["yes", "no"];
const SORTS = ["user", "started", "seen", "ends"];
const SIZES = [25, 50, 100];
/** Characters. */
const SEARCH = 100;
/** The server refuses a page beyond it, which no table has. */
const LAST_PAGE = 1_000_000;

/**
 * @typedef {object} Query
 * @property {string} search
 * @property {string} phase Empty: any.
 * @property {string} connected Empty: either.
 * @property {string} sort With "-" before it: turned round.
 * @property {number} page From 1 on.
 * @property {number} size
 */

/** The view that an address without parameters shows. */
export const PLAIN = Object.freeze({ search: "", phase: "", connected: "", sort: "ends", page: 1, size: 50 });

/**
 * Read it from an address; what makes no sense there is taken for the usual.
 * @param {string} parameters
 * @returns {Query}
 */
export function fromAddress(parameters) {
  const given = new URLSearchParams(parameters);
  const sort = given.get("sort") ?? "";
  const size = Number(given.get("size"));
  const page = Number(given.get("p"));
  return {
    search: clean(given.get("q") ?? ""),
    phase: oneOf(PHASES, given.get("phase"), ""),
    connected: oneOf(CONNECTED, given.get("connected"), ""),
    sort: SORTS.includes(sort.replace(/^-/, "")) ? sort : PLAIN.sort,
    page: Number.isSafeInteger(page) && page >= 1 ? Math.min(page, LAST_PAGE) : 1,
    size: SIZES.includes(size) ? size : PLAIN.size,
  };
}

/**
 * Write it as the parameters of an address, the usual left out.
 * @param {Query} wanted
 */
export function toAddress(wanted) {
  const given = new URLSearchParams();
  if (wanted.search) given.set("q", wanted.search);
  if (wanted.phase) given.set("phase", wanted.phase);
  if (wanted.connected) given.set("connected", wanted.connected);
  if (wanted.sort !== PLAIN.sort) given.set("sort", wanted.sort);
  if (wanted.page !== 1) given.set("p", String(wanted.page));
  if (wanted.size !== PLAIN.size) given.set("size", String(wanted.size));
  return given.toString();
}

/**
 * Change part of it. Whoever looks for something else begins on the first page.
 * @param {Query} wanted
 * @param {Partial<Query>} changes
 * @returns {Query}
 */
export function change(wanted, changes) {
  return { ...wanted, page: 1, ...changes };
}

/**
 * Tell whether two find the same sessions, in whatever order and on whatever page.
 * @param {Query} one
 * @param {Query} other
 */
export function findTheSame(one, other) {
  return one.search === other.search && one.phase === other.phase && one.connected === other.connected;
}

/**
 * The server refuses longer ones, and NUL, which PostgreSQL does.
 * @param {string} search
 */
export function clean(search) {
  return [...search.replaceAll("\0", "").trim()].slice(0, SEARCH).join("");
}

/**
 * @param {string[]} choices
 * @param {string | null} value
 * @param {string} otherwise
 */
function oneOf(choices, value, otherwise) {
  return value !== null && choices.includes(value) ? value : otherwise;
}
