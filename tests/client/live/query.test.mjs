import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_QUERY, change, clean, findTheSame, fromAddress, toAddress } from "../../../static/idlewatch/live/query.js";

test("a query is read from the address, and written to it", () => {
  const query = fromAddress("?q=ada%20l&phase=warned&connected=no&sort=-seen&p=3&size=100");
  assert.deepEqual(query, { search: "ada l", phase: "warned", connected: "no", sort: "-seen", page: 3, size: 100 });
  assert.deepEqual(fromAddress(`?${toAddress(query)}`), query);
  assert.equal(toAddress(DEFAULT_QUERY), "");
});

test("invalid values in the address give the default", () => {
  assert.deepEqual(fromAddress("?phase=ended&connected=1&sort=--user&p=0&size=7"), { ...DEFAULT_QUERY });
  assert.equal(fromAddress("?p=1e400").page, 1);
  assert.equal(fromAddress("?p=9999999").page, 1_000_000);
  assert.equal(fromAddress(`?q=${"x".repeat(300)}`).search.length, 100);
  assert.equal(fromAddress("?q=a%00b").search, "ab");
});

test("a search is cut between characters, as the server counts them", () => {
  const long = "x".repeat(99);
  assert.equal(clean(`${long}😀y`), `${long}😀`);
  assert.equal(clean("😀".repeat(101)), "😀".repeat(100));
  assert.equal(fromAddress(`?${new URLSearchParams({ q: `${long}😀y` })}`).search, `${long}😀`);
  assert.equal(clean(` ${"x".repeat(100)} `), "x".repeat(100), "what is around it does not count");
});

test("another search begins on the first page", () => {
  const query = { ...DEFAULT_QUERY, page: 7 };
  assert.equal(change(query, { search: "a" }).page, 1);
  assert.equal(change(query, { page: 8 }).page, 8);
  assert.ok(findTheSame(query, { ...query, page: 2, sort: "user" }));
  assert.ok(!findTheSame(query, { ...query, phase: "warned" }));
});
