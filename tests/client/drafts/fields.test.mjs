import assert from "node:assert/strict";
import { test } from "node:test";

import { bestMatch, fill, looksLikeACard, privateNames, read } from "../../../static/idlewatch/drafts/fields.js";
import { FakeField, FakeForm, FakeSelect } from "../dom.mjs";

const HERE = "https://site.example/letters/new/?to=7";

test("a form is read as it would be sent", () => {
  const form = new FakeForm([
    new FakeField("subject", "A letter"),
    new FakeField("", "nameless"),
    new FakeField("urgent", "on", { type: "checkbox", checked: true }),
    new FakeField("sign", "on", { type: "checkbox" }),
    new FakeField("paper", "white", { type: "radio" }),
    new FakeField("paper", "blue", { type: "radio", checked: true }),
    new FakeSelect("copies", ["a", "b", "c"], ["a", "c"], { multiple: true }),
    new FakeField("old", "x", { disabled: true }),
    new FakeField("sum", "3", { type: "output" }),
  ]);
  assert.deepEqual(read(form), [
    ["subject", "A letter"],
    ["urgent", "on"],
    ["paper", "blue"],
    ["copies", "a"],
    ["copies", "c"],
  ]);
});

test("private fields are never read, nor is a password that is shown as text", () => {
  const password = new FakeField("a", "x", { type: "password" });
  const secret = [
    password,
    new FakeField("b", "x", { type: "hidden" }),
    new FakeField("c", "x", { type: "file" }),
    new FakeField("d", "x", { marked: "data-idlewatch-private" }),
    ...["cc-number", "billing cc-csc", "CC-EXP", "current-password", "section-a new-password", "one-time-code"].map(
      (autocomplete, index) => new FakeField(`e${index}`, "x", {}, { autocomplete }),
    ),
    new FakeField("f", "4111 1111 1111 1111"),
  ];
  const open = ["name", "off", "address-line1", "username"].map((hint) => new FakeField(hint, "x", {}, { autocomplete: hint }));
  const form = new FakeForm([...secret, ...open]);
  for (const type of ["password", "text"]) {
    password.type = type;
    assert.deepEqual(read(form), open.map(({ name }) => [name, "x"]));
    assert.deepEqual(privateNames(form), ["a", "d", "e0", "e1", "e2", "e3", "e4", "e5"]);
  }
});

test("fields named like a secret are not read; the server knows these names", () => {
  const names = ["newPassword2", "securityCode", "card_code", "PIN-code", "CVV2", "access_token", "secret_answer"];
  const form = new FakeForm([...names, "shippingCode"].map((name) => new FakeField(name, "x")));
  assert.deepEqual(read(form), [["shippingCode", "x"]]);
  assert.deepEqual(privateNames(form), []);
});

test("the number of a payment card is recognized by its digits", () => {
  const plain = ["4111 1111 1111 1111", "4111-1111-1111-1111", " 378282246310005 ", "4222222222222", "6304000000000000"];
  const odd = ["4111\u00a01111\u00a01111\u00a01111", "4111.1111.1111.1111", "4111–1111–1111–1111", "4111  1111_1111 / 1111"];
  for (const card of [...plain, ...odd]) assert.ok(looksLikeACard(card), card);
  const others = ["4111 1111 1111 1112", "411111111111", "41111111111111111111", "4111:1111:1111:1111", "", "a letter"];
  for (const other of others) assert.ok(!looksLikeACard(other), other);
});

test("entries are put back, with events where they change something", () => {
  const [subject, first, second] = ["subject", "line", "line"].map((name) => new FakeField(name));
  const same = new FakeField("same", "x");
  const urgent = new FakeField("urgent", "on", { type: "checkbox", checked: true });
  const sign = new FakeField("sign", "on", { type: "checkbox" });
  const [white, blue] = ["white", "blue"].map((value) => new FakeField("paper", value, { type: "radio", checked: value === "white" }));
  const copies = new FakeSelect("copies", ["a", "b"], ["a"], { multiple: true });
  const changed = fill(new FakeForm([subject, same, first, second, urgent, sign, white, blue, copies]), [
    ["subject", "A letter"],
    ["same", "x"],
    ["line", "one"],
    ["line", "two"],
    ["sign", "on"],
    ["paper", "blue"],
    ["copies", "b"],
  ]);
  assert.deepEqual(changed, [subject, first, second, urgent, sign, blue, copies]);
  assert.deepEqual([subject.value, first.value, second.value], ["A letter", "one", "two"]);
  assert.deepEqual([urgent.checked, sign.checked, blue.checked], [false, true, true]);
  assert.deepEqual(copies.options.map(({ selected }) => selected), [false, true]);
  for (const field of [subject, copies]) assert.deepEqual(field.received, ["input", "change"]);
  assert.deepEqual([sign.received, same.received], [["click"], []]);
});

test("a value is set below a framework's own setter", () => {
  const field = new FakeField("subject");
  const framework = [];
  Object.defineProperty(field, "value", { get: () => "", set: (value) => framework.push(value), configurable: true });
  fill(new FakeForm([field]), [["subject", "A letter"]]);
  delete field.value;
  assert.equal(field.value, "A letter");
  assert.deepEqual(framework, []);
});

test("fields that are private, skipped, read-only or of which one is missing stay as they are", () => {
  const fields = [
    new FakeField("password", "", { type: "password" }),
    new FakeField("typed", "mine"),
    new FakeField("fixed", "", { readOnly: true }),
    new FakeField("line"),
    new FakeField("line"),
    new FakeSelect("kind", ["letter", "card"], ["letter"]),
  ];
  const entries = ["password", "typed", "fixed", "line"].map((name) => [name, "kept"]);
  assert.deepEqual(fill(new FakeForm(fields), entries, (name) => name === "typed"), []);
});

test("the form that was sent is the one at that address with the most names in common", () => {
  const names = (...all) => all.map((name) => new FakeField(name));
  const other = new FakeForm(names("subject", "body"), { action: "/elsewhere/" });
  const search = new FakeForm(names("subject"), { action: "/send/" });
  const letter = new FakeForm(names("subject", "body"), { action: "../../send/?x=1" });
  const sent = { action: "/send/?y=2", fields: [["subject", "a"], ["body", "b"], ["urgent", "on"]] };
  assert.equal(bestMatch([other, search, letter], sent, HERE), letter);
  assert.equal(bestMatch([other], sent, HERE), null);
  const own = new FakeForm(names("subject"));
  assert.equal(bestMatch([own], { action: "/letters/new/", fields: sent.fields }, HERE), own);
  const htmx = new FakeForm(names("subject"), { "hx-post": "/send/" });
  assert.equal(bestMatch([htmx], sent, HERE), htmx);
  assert.equal(bestMatch([letter], { action: "/letters/new/", fields: sent.fields }, HERE), null);
  const strange = new FakeForm(names("body"), { action: "http://[" });
  assert.equal(bestMatch([strange], sent, HERE), null);
});
