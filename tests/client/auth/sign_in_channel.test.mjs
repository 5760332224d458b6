import assert from "node:assert/strict";
import { test } from "node:test";

import { SignInChannel } from "../../../static/idlewatch/auth/sign_in_channel.js";

test("a greeting is the token of a page, whatever it is", () => {
  const posted = [];
  const channel = { postMessage: (message) => posted.push(message), close: () => {} };
  const heard = [];
  const signInChannel = new SignInChannel({ open: () => channel, onGreeting: (token) => heard.push(token) });
  signInChannel.start();
  signInChannel.greet("token");
  assert.deepEqual(posted, ["token"]);
  channel.onmessage({ data: "another" });
  assert.deepEqual(heard, ["another"]);
});
