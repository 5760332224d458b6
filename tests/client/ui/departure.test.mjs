import assert from "node:assert/strict";
import { test } from "node:test";

import { Departure } from "../../../static/idlewatch/ui/departure.js";
import { FakeClock } from "../support.mjs";

/** A tab: what its pages leave in its storage, and where they go. */
class Tab {
  left = [];
  stored = new Map();

  /** Load a page that ends at once; let its user read why. */
  end(address = "/login/?next=/") {
    const clock = new FakeClock();
    this.#page(clock).begin(address);
    clock.advance(3600);
  }

  confirm() {
    this.#page(new FakeClock()).confirm();
  }

  #page(clock) {
    const window = {
      document: { visibilityState: "visible" },
      location: { assign: (address) => this.left.push(address) },
      sessionStorage: {
        getItem: (key) => this.stored.get(key) ?? null,
        setItem: (key, value) => {
          if (this.full) throw new Error("QuotaExceededError");
          this.stored.set(key, value);
        },
      },
    };
    return new Departure({ window, clock, isLeaving: () => false });
  }
}

test("[R29] a page that a cache brings back after each end is left a few times only, for addresses that no cache knows", () => {
  const tab = new Tab();
  for (let times = 0; times < 10; times += 1) tab.end();
  assert.equal(tab.left.length, 3);
  assert.equal(tab.left[0], "/login/?next=/");
  for (const address of tab.left.slice(1)) assert.match(address, /^\/login\/\?next=\/&for=\d+$/);
});

test("a page that the server confirms starts the count over", () => {
  const tab = new Tab();
  for (let times = 0; times < 10; times += 1) {
    tab.end();
    tab.confirm();
  }
  assert.deepEqual(tab.left, Array(10).fill("/login/?next=/"));
});

test("a page without storage stays, as nothing would bound it", () => {
  const tab = Object.assign(new Tab(), { full: true });
  tab.end();
  tab.confirm();
  assert.deepEqual(tab.left, []);
});
