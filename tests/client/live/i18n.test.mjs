import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveI18n } from "../../../static/idlewatch/live/i18n.js";

test("numbers are written in the page's language", () => {
  const i18n = new LiveI18n({ strings: { left: "{time} left.", hello: "{user} {n}" }, language: "de" });
  assert.equal(i18n.text("left", { time: 1234 }), "1.234 left.");
  assert.equal(i18n.text("hello", { user: "{n}", n: 1 }), "{n} 1");
});

test("a sentence takes the form that the number has in the catalogue", () => {
  const form = (n) => (n === 1 ? 0 : [2, 3, 4].includes(n % 10) && Math.floor((n % 100) / 10) !== 1 ? 1 : 2);
  const which = Array.from({ length: 200 }, (_, n) => form(n)).join("");
  const plurals = { total: { forms: ["{n} sesja", "{n} sesje", "{n} sesji"], which } };
  const i18n = new LiveI18n({ strings: {}, plurals, language: "en" });
  const small = { 1: "1 sesja", 2: "2 sesje", 12: "12 sesji", 21: "21 sesji", 201: "201 sesji" };
  const sentences = { ...small, 10_012: "10,012 sesji", 10_022: "10,022 sesje" };
  for (const [n, sentence] of Object.entries(sentences)) assert.equal(i18n.plural("total", Number(n)), sentence);
});
