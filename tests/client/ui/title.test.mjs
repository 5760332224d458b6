import assert from "node:assert/strict";
import { test } from "node:test";

import { TabTitle } from "../../../static/idlewatch/ui/title.js";

test("a countdown stands before the page, whose newest title comes back after it", () => {
  const document = { title: "Letter" };
  const title = new TabTitle(document);
  title.hide();
  title.show("1:58 left");
  title.show("1:57 left");
  assert.equal(document.title, "1:57 left");
  title.hide();
  title.hide();
  assert.equal(document.title, "Letter");
  title.show("1:56 left");
  document.title = "(1) Letter";
  title.show("1:55 left");
  assert.equal(document.title, "1:55 left");
  title.hide();
  assert.equal(document.title, "(1) Letter");
  title.show("1:54 left");
  document.title = "(2) Letter";
  title.hide();
  assert.equal(document.title, "(2) Letter");
});
