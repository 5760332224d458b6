import assert from "node:assert/strict";
import { test } from "node:test";

import { NavigationObserver } from "../../../static/idlewatch/observers/navigation.js";
import { dispatch } from "../dom.mjs";
import { FakeClock } from "../support.mjs";

function setUp(browser = { mozInnerScreenX: 0 }) {
  const clock = new FakeClock();
  const navigation = new EventTarget();
  const window = Object.assign(new EventTarget(), { navigation }, browser);
  let left = 0;
  const observer = new NavigationObserver({ window, clock, onLeave: () => (left += 1) });
  observer.start();
  const navigate = ({ url = "https://pay.example/", sameDocument = false, downloadRequest = null } = {}) =>
    dispatch(navigation, "navigate", { destination: { url, sameDocument }, downloadRequest });
  const unload = () => {
    dispatch(window, "beforeunload");
    return left;
  };
  return { clock, navigation, observer, navigate, unload };
}

test("[R40] a navigation that the page starts is leaving, which is reported while sockets can still be closed", () => {
  const { observer, navigate, unload } = setUp();
  assert.ok(!observer.leaving);
  assert.equal(unload(), 0, "a closed tab is left to itself");
  navigate();
  assert.ok(observer.leaving);
  assert.equal(unload(), 1, "Firefox closes sockets before `pagehide`");
});

test("browsers other than Firefox keep the socket until the page goes, for what it still holds", () => {
  const { observer, navigate, unload } = setUp({});
  navigate();
  assert.equal(unload(), 0);
  assert.ok(observer.leaving);
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

for (const [name, stay] of [
  ["a script prevents", ({ event }) => event.preventDefault()],
  ["a script takes over", ({ navigation }) => dispatch(navigation, "navigatesuccess")],
  ["is called off", ({ navigation }) => dispatch(navigation, "navigateerror")],
]) {
  test(`a navigation that ${name} does not count, also when the tab is closed later`, () => {
    const all = setUp();
    stay({ ...all, event: all.navigate() });
    all.clock.advance(0);
    assert.ok(!all.observer.leaving);
    assert.equal(all.unload(), 0);
  });
}

test("[R39] a navigation that leaves the page where it is counts for a limited time", () => {
  const { clock, observer, navigate, unload } = setUp();
  navigate();
  clock.advance(29);
  assert.ok(observer.leaving);
  clock.advance(2);
  assert.ok(!observer.leaving);
  assert.equal(unload(), 0);
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
