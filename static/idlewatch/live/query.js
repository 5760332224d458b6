/** The query of the live page. It is part of the page's address, so that it survives a reload and can be shared. */

const PHASES = ["active", "warned"];
const CONNECTED = ["yes", "no"];
const SORTS = ["user", "started", "seen", "ends"];
const SIZES = [25, 50, 100];
const MAX_SEARCH_LENGTH = 100;
/** The server refuses later pages. */
const MAX_PAGE = 1_000_000;

/**
 * @typedef {object} Query
 * @property {string} search
 * @property {string} phase Empty: any.
 * @property {string} connected Empty: either.
 * @property {string} sort Descending with "-" before it.
 * @property {number} page From 1.
 * @property {number} size Rows on a page.
 */

/** The query of an address without parameters. */
export const DEFAULT_QUERY = Object.freeze({ search: "", phase: "", connected: "", sort: "ends", page: 1, size: 50 });

/**
 * Read a query from an address; invalid values give the default.
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
    sort: SORTS.includes(sort.replace(/^-/, "")) ? sort : DEFAULT_QUERY.sort,
    page: Number.isSafeInteger(page) && page >= 1 ? Math.min(page, MAX_PAGE) : 1,
    size: SIZES.includes(size) ? size : DEFAULT_QUERY.size,
  };
}

/**
 * Write a query as the parameters of an address, without the defaults.
 * @param {Query} query
 */
export function toAddress(query) {
  const parameters = new URLSearchParams();
  if (query.search) parameters.set("q", query.search);
  if (query.phase) parameters.set("phase", query.phase);
  if (query.connected) parameters.set("connected", query.connected);
  if (query.sort !== DEFAULT_QUERY.sort) parameters.set("sort", query.sort);
  if (query.page !== 1) parameters.set("p", String(query.page));
  if (query.size !== DEFAULT_QUERY.size) parameters.set("size", String(query.size));
  return parameters.toString();
}

/**
 * Change part of a query, which leads back to the first page unless the page is what changes.
 * @param {Query} query
 * @param {Partial<Query>} changes
 * @returns {Query}
 */
export function change(query, changes) {
  return { ...query, page: 1, ...changes };
}

/**
 * Return whether two queries find the same sessions, in any order and on any page.
 * @param {Query} one
 * @param {Query} other
 */
export function findTheSame(one, other) {
  return one.search === other.search && one.phase === other.phase && one.connected === other.connected;
}

/**
 * Return whether a query finds every live session.
 * @param {Query} query
 */
export function isUnfiltered(query) {
  return findTheSame(query, DEFAULT_QUERY);
}

/**
 * Fit a search to what the server takes: it counts code points, and PostgreSQL refuses NUL.
 * @param {string} search
 */
export function clean(search) {
  return [...search.replaceAll("\0", "").trim()].slice(0, MAX_SEARCH_LENGTH).join("");
}

/**
 * @param {string[]} choices
 * @param {string | null} value
 * @param {string} otherwise
 */
function oneOf(choices, value, otherwise) {
  return value !== null && choices.includes(value) ? value : otherwise;
}
