import assert from "node:assert/strict";
import { test } from "node:test";

import { replaceTokens } from "../../../static/idlewatch/ui/csrf.js";

test("a new token goes where htmx sends the old one, under the name of the site's header alone", () => {
  const attribute = { name: "hx-headers", value: '{"x-xsrf-token": "old", "X-CSRFToken": "mine"}' };
  replaceTokens([{ matches: () => false, attributes: [attribute] }], "new", "X-Xsrf-Token");
  assert.equal(attribute.value, '{"x-xsrf-token": "new", "X-CSRFToken": "mine"}');
});
