import assert from "node:assert/strict";
import { test } from "node:test";

import { SignInChannel } from "../../../static/idlewatch/auth/sign_in_channel.js";

test("tokens go out to the other tabs, and come in from them", () => {
  const posted = [];
  const channel = { postMessage: (message) => posted.push(message), close: () => {} };
  const received = [];
  const signInChannel = new SignInChannel({ open: () => channel, onToken: (token) => received.push(token) });
  signInChannel.start();
  signInChannel.announce("token");
  assert.deepEqual(posted, ["token"]);
  channel.onmessage({ data: "another" });
  assert.deepEqual(received, ["another"]);
});
