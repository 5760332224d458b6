import assert from "node:assert/strict";
import { test } from "node:test";

import { SignInChannel } from "../../../static/idlewatch/auth/sign_in_channel.js";

test("tokens go out to the other tabs, and come in from them, until it is stopped", () => {
  const posted = [];
  const channel = { closed: false, postMessage: (message) => posted.push(message), close: () => (channel.closed = true) };
  const received = [];
  const signInChannel = new SignInChannel({ open: () => channel, onToken: (token) => received.push(token) });
  signInChannel.start();
  signInChannel.announce("token");
  channel.onmessage({ data: "another" });
  signInChannel.stop();
  signInChannel.announce("late");
  assert.deepEqual([posted, received, channel.closed], [["token"], ["another"], true]);
});
