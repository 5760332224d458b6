import assert from "node:assert/strict";
import { test } from "node:test";

import { ActionTexts, failureReport } from "../../../static/idlewatch/live/action_texts.js";
import { Refusal } from "../../../static/idlewatch/live/actions.js";

const i18n = {
  text: (name, values = {}) => [name, ...Object.values(values)].join(" "),
  plural: (name, n) => `${name} ${n}`,
};

test("a question says whom it concerns, and what is left alone", () => {
  const counted = { sessions: 3, users: 2, own: 0, before: 7 };
  assert.equal(new ActionTexts(i18n, "end", null).question(counted), "users 2");
  assert.equal(new ActionTexts(i18n, "end", "ada").question({ ...counted, users: 1, own: 1 }), "one_user \u2068ada\u2069 own 1");
  assert.equal(new ActionTexts(i18n, "end", null).question({ ...counted, users: 1 }), "users 1", "the page may not know the user");
});

test("an outcome counts what the action is about", () => {
  const outcome = { done: 4, own: 0, reached: 3, open: 5 };
  assert.equal(new ActionTexts(i18n, "end_users", null).outcome(outcome), "ended 4");
  assert.equal(new ActionTexts(i18n, "notice", null).outcome({ ...outcome, own: 2 }), "reached 3 5 own_left 2");
});

test("a permanent refusal stays beside the table, another only until the server answers", () => {
  assert.deepEqual(failureReport("ended 4", new Refusal("No.", true)), { outcome: "ended 4 No." });
  assert.deepEqual(failureReport("", new Refusal("No.", true)), { outcome: "No." });
  assert.deepEqual(failureReport("ended 4", new Refusal("Later.", false)), { outcome: "ended 4", trouble: "Later." });
  assert.deepEqual(failureReport("", "odd"), { outcome: "", trouble: "odd" });
});
