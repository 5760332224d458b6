import assert from "node:assert/strict";
import { test } from "node:test";

import { TabTitle } from "../../../static/idlewatch/ui/title.js";

test("the page's title comes back after a countdown", () => {
  const document = { title: "Letter" };
  const title = new TabTitle(document);
  title.show("1:58 left");
  title.show("1:57 left");
  assert.equal(document.title, "1:57 left");
  title.hide();
  assert.equal(document.title, "Letter");
  title.hide();
  assert.equal(document.title, "Letter");
});

test("a title that the page has set meanwhile is the one restored", () => {
  const document = { title: "Letter" };
  const title = new TabTitle(document);
  title.show("1:58 left");
  document.title = "(1) Letter";
  title.show("1:57 left");
  assert.equal(document.title, "1:57 left");
  title.hide();
  assert.equal(document.title, "(1) Letter");
  title.show("1:56 left");
  document.title = "(2) Letter";
  title.hide();
  assert.equal(document.title, "(2) Letter");
});
