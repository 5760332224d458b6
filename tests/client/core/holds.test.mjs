import assert from "node:assert/strict";
import { test } from "node:test";

import { Holds, pageId } from "../../../static/idlewatch/core/holds.js";
import { LIMIT } from "../../../static/idlewatch/core/protocol.js";
import { FakeClock } from "../support.mjs";

function setUp() {
  const clock = new FakeClock();
  const sent = [];
  const holds = new Holds({ clock, page: "page", send: (message) => sent.push(message) > 0 });
  return { clock, sent, holds };
}

test("a hold is announced at once and renewed well before it lapses, until it is released", () => {
  const { clock, sent, holds } = setUp();
  const handle = holds.hold("Uploading 3 files");
  clock.advance(90);
  assert.ok(30 <= LIMIT.HOLD_LIFE / 2);
  handle.release();
  handle.release();
  clock.advance(600);
  const hold = { type: "hold", id: "page-1", label: "Uploading 3 files" };
  assert.deepEqual(sent, [hold, hold, hold, hold, { type: "release", id: "page-1" }]);
});

test("the holds of a page have different ids; it releases them when it goes, and announces them when it comes back", () => {
  const { sent, holds } = setUp();
  const first = holds.hold("one");
  holds.hold("two");
  first.release();
  assert.deepEqual(sent.at(-1), { type: "release", id: "page-1" });
  assert.deepEqual(holds.releases(), [{ type: "release", id: "page-2" }]);
  holds.renew();
  assert.deepEqual(sent.at(-1), { type: "hold", id: "page-2", label: "two" });
});

test("a hold whose work is over releases itself at the next renewal", () => {
  const { clock, sent, holds } = setUp();
  let plays = true;
  holds.hold("video", () => plays);
  clock.advance(30);
  plays = false;
  clock.advance(30);
  assert.deepEqual(sent.at(-1), { type: "release", id: "page-1" });
  assert.deepEqual(holds.releases(), []);
});

test("a refused hold is announced again only when the user has acted", () => {
  const { clock, sent, holds } = setUp();
  holds.hold("work");
  holds.refuse();
  clock.advance(300);
  assert.equal(sent.length, 1);
  holds.allow();
  clock.advance(30);
  assert.equal(sent.length, 2);
});

test("labels fit what the server takes", () => {
  const { sent, holds } = setUp();
  holds.hold("a\u0000b\nc");
  holds.hold("🙂".repeat(200));
  holds.hold(undefined);
  assert.deepEqual(sent.map(({ label }) => label), ["a b c", "🙂".repeat(LIMIT.HOLD_LABEL), ""]);
});

test("ids differ between pages and fit what the server takes", () => {
  const ids = new Set(Array.from({ length: 200 }, pageId));
  assert.equal(ids.size, 200);
  for (const id of ids) assert.ok(id.length > 10 && id.length < LIMIT.HOLD_ID - 10);
});
