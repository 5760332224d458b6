import assert from "node:assert/strict";
import { test } from "node:test";

import { eventsOn, makeApi } from "../../../static/idlewatch/core/api.js";

/** A client that records its calls. */
const fakeClient = () => {
  const calls = [];
  return { calls, state: null, extend: (...given) => calls.push(given), hold: (...given) => calls.push(given) };
};

test("an invalid label is refused, and the error names it", () => {
  const client = fakeClient();
  const api = makeApi(client);
  for (const [label, named] of [
    [undefined, "undefined"],
    [null, "null"],
    [3, "3"],
    [["work"], '["work"]'],
    ["", '""'],
    [" \t", '" \\t"'],
  ]) {
    const expected = { name: "TypeError", message: `idlewatch.hold() got ${named}; expected a label.` };
    assert.throws(() => api.hold(label), expected);
  }
  assert.deepEqual(client.calls, []);
  api.hold("Uploading");
  assert.deepEqual(client.calls, [["Uploading"]]);
});

test("`extend` ignores the arguments of a listener", () => {
  const client = fakeClient();
  makeApi(client).extend(new Event("click"));
  assert.deepEqual(client.calls, [[]]);
});

test("the object can't be changed", () => {
  const api = makeApi(fakeClient());
  assert.throws(() => { api.extend = () => {}; }, TypeError);
  assert.throws(() => { api.state = {}; }, TypeError);
});

test("only the warning and the end can be cancelled", () => {
  const document = new EventTarget();
  const dispatch = eventsOn(document);
  const detail = { phase: "active" };
  for (const name of ["state", "warned", "ended", "resumed"]) {
    let received = null;
    document.addEventListener(`idlewatch:${name}`, (event) => {
      received = event.detail;
      event.preventDefault();
    });
    assert.equal(dispatch(name, detail) === false, ["warned", "ended"].includes(name), name);
    assert.equal(received, detail);
  }
});
