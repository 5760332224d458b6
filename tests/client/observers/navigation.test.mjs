import assert from "node:assert/strict";
import { test } from "node:test";

import { NavigationObserver } from "../../../static/idlewatch/observers/navigation.js";
import { FakeClock } from "../support.mjs";

function setUp() {
  const clock = new FakeClock();
  const navigation = new EventTarget();
  const window = Object.assign(new EventTarget(), { navigation });
  let left = 0;
  const observer = new NavigationObserver({ window, clock, onLeave: () => (left += 1) });
  observer.start();
  const navigate = ({ url = "https://pay.example/", sameDocument = false, downloadRequest = null } = {}) => {
    const event = new Event("navigate", { cancelable: true });
    navigation.dispatchEvent(Object.assign(event, { destination: { url, sameDocument }, downloadRequest }));
    return event;
  };
  const unload = () => {
    window.dispatchEvent(new Event("beforeunload"));
    return left;
  };
  return { clock, navigation, observer, navigate, unload };
}

test("[R40] a navigation that the page starts is leaving, not closing", () => {
  const { observer, navigate } = setUp();
  assert.ok(!observer.leaving);
  navigate();
  assert.ok(observer.leaving);
});

test("[R40] it reports a navigation while sockets can still be closed: Firefox closes them before `pagehide`", () => {
  const { observer, navigate, unload } = setUp();
  assert.equal(unload(), 0, "a closed tab is left to itself");
  navigate();
  assert.equal(unload(), 1);
  observer.stop();
});

test("a navigation that is called off closes nothing when the tab is closed later", () => {
  const { navigation, navigate, unload } = setUp();
  navigate();
  navigation.dispatchEvent(new Event("navigateerror"));
  assert.equal(unload(), 0);
});

for (const [name, navigation] of [
  ["a place within the page", { sameDocument: true }],
  ["a download link", { downloadRequest: "" }],
  ["a mail address", { url: "mailto:user@example.org" }],
]) {
  test(`${name} is not a navigation`, () => {
    const { observer, navigate } = setUp();
    navigate(navigation);
    assert.ok(!observer.leaving);
  });
}

test("a navigation that a script prevents or takes over does not count", () => {
  const { clock, navigation, observer, navigate } = setUp();
  navigate().preventDefault();
  clock.advance(0);
  assert.ok(!observer.leaving);
  navigate();
  navigation.dispatchEvent(new Event("navigatesuccess"));
  assert.ok(!observer.leaving);
});

test("[R39] a navigation that leaves the page where it is counts for a limited time", () => {
  const { clock, observer, navigate } = setUp();
  navigate();
  clock.advance(29);
  assert.ok(observer.leaving);
  clock.advance(2);
  assert.ok(!observer.leaving);
});

test("a stopped observer ignores navigations; started again, it has forgotten the last one", () => {
  const { observer, navigate } = setUp();
  navigate();
  observer.stop();
  observer.start();
  assert.ok(!observer.leaving);
  observer.stop();
  navigate();
  assert.ok(!observer.leaving);
});
