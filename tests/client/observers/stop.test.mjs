import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../../static/idlewatch/drafts/drafts.js";
import { FormObserver } from "../../../static/idlewatch/observers/forms.js";
import { InputObserver } from "../../../static/idlewatch/observers/input.js";
import { LifecycleObserver } from "../../../static/idlewatch/observers/lifecycle.js";
import { MediaObserver } from "../../../static/idlewatch/observers/media.js";
import { NavigationObserver } from "../../../static/idlewatch/observers/navigation.js";
import { FakeForm, dispatch, fakeWindow, listeners, observers } from "../dom.mjs";
import { FakeClock } from "../support.mjs";

const nothing = () => {};
const unsaved = { find: nothing, forget: nothing };
const server = { drafts: "/drafts/", kept: false, token: "page", csrf: "token" };

const MAKERS = {
  Drafts: (options) => new Drafts({ ...options, unsaved, server, i18n: {}, fetch: nothing, offer: nothing }),
  FormObserver: (options) => new FormObserver({ ...options, unsaved, label: "form", hold: () => ({ release: nothing }) }),
  InputObserver: (options) => new InputObserver({ ...options, onActivity: nothing }),
  LifecycleObserver: ({ window }) =>
    new LifecycleObserver({
      window,
      navigation: { leaving: false },
      delegate: { onWake: nothing, onHide: nothing, onLeave: nothing, onReturn: nothing },
    }),
  MediaObserver: ({ window }) => new MediaObserver({ document: window.document, label: "media", hold: nothing }),
  NavigationObserver: (options) => new NavigationObserver(options),
};

for (const [name, make] of Object.entries(MAKERS)) {
  test(`nothing remains of a ${name} that was stopped, and it can be started again`, () => {
    const clock = new FakeClock();
    const observer = make({ window: fakeWindow(), clock });
    observer.start();
    const before = listeners.size;
    assert.ok(before > 0);
    observer.stop();
    assert.deepEqual([...listeners], []);
    assert.deepEqual(clock.timers, []);
    assert.equal(observers.size, 0);
    observer.start();
    assert.equal(listeners.size, before);
    observer.stop();
  });
}

test("a form that is being sent is released by a stop, and its limit with it", () => {
  const clock = new FakeClock();
  const window = fakeWindow();
  const released = [];
  const hold = (label) => ({ release: () => released.push(label) });
  const observer = new FormObserver({ window, clock, unsaved, label: "form", hold });
  observer.start();
  dispatch(window, "submit", { target: new FakeForm(), submitter: null });
  clock.advance(0);
  assert.equal(clock.timers.length, 1);
  observer.stop();
  assert.deepEqual([released, clock.timers], [["form"], []]);
});
