import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Drafts } from "../../../static/idlewatch/drafts/drafts.js";
import { bestMatch, fieldsOf, fill, isPrivate, looksLikeACard, privateNames, read } from "../../../static/idlewatch/drafts/fields.js";
import { FakeClock, settle } from "../support.mjs";

/** As much of an element as the client uses. */
class FakeElement extends EventTarget {
  constructor(attributes = {}) {
    super();
    this.attributes = attributes;
  }

  getAttribute(name) {
    return this.attributes[name] ?? null;
  }

  querySelectorAll() {
    return [];
  }
}

class FakeField extends FakeElement {
  #value;
  received = [];
  disabled = false;
  readOnly = false;
  checked = false;
  defaultChecked = false;
  isConnected = true;

  constructor(name, value = "", { type = "text", marked = false, ...rest } = {}, attributes = {}) {
    super(attributes);
    this.name = name;
    this.type = type;
    this.marked = marked;
    this.#value = value;
    this.defaultValue = value;
    Object.assign(this, rest);
    for (const received of ["input", "change"]) this.addEventListener(received, () => this.received.push(received));
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
  }

  matches(selector) {
    return selector === ":disabled" ? this.disabled : this.type !== "output";
  }

  closest() {
    return this.marked ? this : null;
  }

  click() {
    this.checked = this.type === "radio" || !this.checked;
    this.received.push("click");
  }
}

class FakeSelect extends FakeField {
  constructor(name, options, chosen = [], { multiple = false } = {}) {
    super(name, "", { type: multiple ? "select-multiple" : "select-one" });
    this.options = options.map((value) => ({ value, selected: chosen.includes(value) }));
    this.multiple = multiple;
    delete this.defaultValue;
  }

  get selectedOptions() {
    return this.options.filter(({ selected }) => selected);
  }
}

class FakeForm extends FakeElement {
  constructor(fields, attributes = {}) {
    super(attributes);
    this.elements = fields;
    for (const field of fields) field.form = this;
  }
}

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

test("private fields are never read", () => {
  const secret = [
    new FakeField("a", "x", { type: "password" }),
    new FakeField("b", "x", { type: "hidden" }),
    new FakeField("c", "x", { type: "file" }),
    new FakeField("d", "x", { marked: true }),
    ...["cc-number", "billing cc-csc", "CC-EXP", "current-password", "section-a new-password", "one-time-code"].map(
      (autocomplete, index) => new FakeField(`e${index}`, "x", {}, { autocomplete }),
    ),
    new FakeField("f", "4111 1111 1111 1111"),
  ];
  const open = ["name", "off", "address-line1", "username"].map((autocomplete) => new FakeField(autocomplete, "x", {}, { autocomplete }));
  assert.deepEqual(read(new FakeForm([...secret, ...open])), open.map(({ name }) => [name, "x"]));
  assert.deepEqual(privateNames(new FakeForm([...secret, ...open])), ["a", "d", "e0", "e1", "e2", "e3", "e4", "e5"]);
});

test("fields named like a secret are not read; the server knows these names", () => {
  const names = ["newPassword2", "securityCode", "card_code", "PIN-code", "CVV2", "access_token", "secret_answer"];
  const form = new FakeForm([...names, "shippingCode"].map((name) => new FakeField(name, "x")));
  assert.deepEqual(read(form), [["shippingCode", "x"]]);
  assert.deepEqual(privateNames(form), []);
});

test("a password that is shown as text stays private", () => {
  const field = new FakeField("a", "hunter2", { type: "password" });
  assert.ok(isPrivate(field));
  field.type = "text";
  assert.deepEqual(read(new FakeForm([field])), []);
});

test("the number of a payment card is recognized by its digits", () => {
  const plain = ["4111 1111 1111 1111", "4111-1111-1111-1111", " 378282246310005 ", "4222222222222", "6304000000000000"];
  const odd = ["4111\u00a01111\u00a01111\u00a01111", "4111.1111.1111.1111", "4111–1111–1111–1111", "4111  1111_1111 / 1111"];
  const cards = [...plain, ...odd];
  for (const card of cards) assert.ok(looksLikeACard(card), card);
  const others = ["4111 1111 1111 1112", "411111111111", "41111111111111111111", "4111:1111:1111:1111", "", "a letter"];
  for (const other of others) assert.ok(!looksLikeACard(other), other);
});

test("entries are put back, with events where they change something", () => {
  const [subject, same, first, second] = [new FakeField("subject"), new FakeField("same", "x"), new FakeField("line"), new FakeField("line")];
  const urgent = new FakeField("urgent", "on", { type: "checkbox", checked: true });
  const sign = new FakeField("sign", "on", { type: "checkbox" });
  const [white, blue] = ["white", "blue"].map((value) => new FakeField("paper", value, { type: "radio", checked: value === "white" }));
  const copies = new FakeSelect("copies", ["a", "b"], ["a"], { multiple: true });
  const form = new FakeForm([subject, same, first, second, urgent, sign, white, blue, copies]);
  const changed = fill(form, [
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
  assert.deepEqual(subject.received, ["input", "change"]);
  assert.deepEqual(copies.received, ["input", "change"]);
  assert.deepEqual(sign.received, ["click"]);
  assert.deepEqual(same.received, []);
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

/** A page with its server. */
class Page {
  clock = new FakeClock();
  asked = [];
  offers = [];
  kept = [];
  status = 200;

  constructor(forms, server = {}) {
    this.forms = forms;
    const document = Object.assign(new EventTarget(), {
      forms,
      querySelectorAll: (selector) => (selector.startsWith("form") ? forms.filter((form) => "data-idlewatch-draft" in form.attributes) : []),
    });
    this.window = Object.assign(new EventTarget(), { document, location: new URL(HERE) });
    this.server = { drafts: "/drafts/", kept: false, token: "t-t", csrf: "first", ...server };
    this.drafts = new Drafts({
      window: this.window,
      clock: this.clock,
      unsaved: { find: () => {} },
      i18n: { text: (name) => name },
      server: this.server,
      fetch: this.fetch,
      offer: (text, choices) => this.offers.push({ text, choices }),
    });
  }

  fetch = async (address, options) => {
    if (options.body === undefined) {
      this.asked.push({ address });
      return { ok: this.status === 200, status: this.status, json: async () => ({ drafts: this.kept }) };
    }
    this.asked.push({ address, ...JSON.parse(options.body), options });
    if (this.status === 0) throw new TypeError("the network is gone");
    return { ok: this.status === 200, status: this.status };
  };

  /** Type as the user, whose events are trusted. */
  type(field, value, isTrusted = true) {
    field.value = value;
    this.#tell("input", { isTrusted, composedPath: () => [field] });
  }

  tell(type, target, detail = {}) {
    this.#tell(type, { target, defaultPrevented: false, ...detail });
  }

  #tell(type, members) {
    const event = new Event(type);
    for (const [name, value] of Object.entries(members)) Object.defineProperty(event, name, { value, configurable: true });
    this.window.dispatchEvent(event);
  }

  get saved() {
    return this.asked.filter(({ fields }) => fields).map(({ form, fields }) => [form, ...fields.flat()]);
  }

  get deleted() {
    return this.asked.filter(({ fields }) => fields === null).map(({ form }) => form);
  }
}

const letterOf = (name = "letter") => new FakeForm([new FakeField("subject"), new FakeField("body", "Good day,")], { "data-idlewatch-draft": "", id: name, action: "/send/" });

beforeEach(() => {
  globalThis.MutationObserver = class {
    constructor(callback) {
      this.callback = callback;
      globalThis.mutate = () => {};
    }
    observe() {
      globalThis.mutate = this.callback;
    }
    disconnect() {}
  };
  globalThis.HTMLFormElement = FakeForm;
});

/** A page with one letter, whose drafts are observed. */
function opened(kept = []) {
  const letter = letterOf();
  const page = new Page([letter]);
  page.kept = kept;
  page.drafts.start();
  return { letter, page };
}

const draft = (fields, form = "letter") => ({ kind: "draft", form, saved: 1, fields });

test("a form is saved two seconds after the last input, and not again unless it changed", async () => {
  const { letter, page } = opened();
  page.type(letter.elements[0], "H");
  page.clock.advance(1.9);
  page.type(letter.elements[0], "Ha");
  page.clock.advance(1.9);
  assert.deepEqual(page.saved, []);
  page.clock.advance(0.1);
  assert.deepEqual(page.saved, [["letter", "subject", "Ha", "body", "Good day,"]]);
  const { address, page: place, options } = page.asked.at(-1);
  assert.deepEqual([address, place], ["/drafts/?for=t-t", "/letters/new/?to=7"]);
  assert.equal(options.headers["X-CSRFToken"], "first");
  assert.equal(options.headers["Idlewatch-Passive"], "1");
  await settle();
  page.type(letter.elements[0], "Hat");
  page.type(letter.elements[0], "Ha");
  page.clock.advance(5);
  assert.equal(page.saved.length, 1);
});

test("it is saved at once when the page may soon be gone or hidden", async () => {
  for (const occasion of ["visibilitychange", "pagehide", "idlewatch:warned"]) {
    const { letter, page } = opened();
    page.type(letter.elements[0], occasion);
    page.window.dispatchEvent(new Event(occasion));
    page.window.dispatchEvent(new Event("pagehide"));
    assert.equal(page.saved.length, 1, occasion);
    assert.equal(page.asked.at(-1).options.keepalive, true);
    await settle();
  }
  const { letter, page } = opened();
  page.type(letter.elements[0], "ä".repeat(30_000));
  page.window.dispatchEvent(new Event("pagehide"));
  assert.equal(page.asked.at(-1).options.keepalive, false, "the browser would refuse so much");
});

test("a draft that could not be saved is saved at the next occasion, with the newest token", async () => {
  for (const status of [0, 401, 503]) {
    const { letter, page } = opened();
    await settle();
    page.status = status;
    page.type(letter.elements[0], "Half a letter");
    page.clock.advance(2);
    await settle();
    page.status = 200;
    page.server.csrf = "second";
    page.window.dispatchEvent(new Event("idlewatch:resumed"));
    assert.equal(page.saved.length, 2, String(status));
    assert.equal(page.asked.at(-1).options.headers["X-CSRFToken"], "second");
    await settle();
  }
});

test("a draft that is too large is sent once", async () => {
  const { letter, page } = opened();
  await settle();
  page.status = 413;
  page.type(letter.elements[0], "x".repeat(70_000));
  page.clock.advance(2);
  await settle();
  page.window.dispatchEvent(new Event("pagehide"));
  assert.equal(page.saved.length, 1);
});

test("unmarked forms, and what scripts fill in, are not saved", () => {
  const [marked, plain] = [letterOf(), new FakeForm([new FakeField("subject")])];
  const page = new Page([marked, plain]);
  page.drafts.start();
  page.type(plain.elements[0], "typed");
  page.type(marked.elements[0], "by a script", false);
  page.window.dispatchEvent(new Event("pagehide"));
  page.clock.advance(5);
  assert.deepEqual(page.saved, []);
});

test("drafts are loaded once, and only if there may be some", async () => {
  const asking = async (page) => {
    page.drafts.start();
    globalThis.mutate();
    await settle();
    return page.asked.map(({ address }) => address);
  };
  const expected = ["/drafts/?page=%2Fletters%2Fnew%2F%3Fto%3D7&for=t-t"];
  assert.deepEqual(await asking(new Page([letterOf()])), expected);
  assert.deepEqual(await asking(new Page([], { kept: true })), expected);
  assert.deepEqual(await asking(new Page([])), []);
  assert.deepEqual(await asking(new Page([letterOf()], { drafts: undefined })), []);
});

test("a draft is put back into the form of its name, and the user is notified", async () => {
  const [letter, other] = [letterOf(), letterOf("other")];
  const page = new Page([letter, other]);
  page.kept = [draft([["subject", "Half"], ["body", "Good day,"]])];
  page.drafts.start();
  await settle();
  assert.deepEqual([letter.elements[0].value, other.elements[0].value], ["Half", ""]);
  assert.deepEqual(page.offers.map(({ text }) => text), ["restored"]);
  globalThis.mutate();
  assert.equal(page.offers.length, 1);
  page.type(letter.elements[0], "Half");
  page.clock.advance(2);
  assert.deepEqual(page.saved, [], "it is as it was");
  const { page: unchanged } = opened([draft([["subject", ""], ["body", "Good day,"]])]);
  await settle();
  assert.deepEqual(unchanged.offers, []);
});

test("fields that the user has changed before the answer stay, a choice among several included", async () => {
  const papers = ["white", "blue", "red"].map((value) => new FakeField("paper", value, { type: "radio" }));
  const form = new FakeForm([new FakeField("subject"), ...papers], { "data-idlewatch-draft": "", id: "letter" });
  const page = new Page([form]);
  page.kept = [draft([["subject", "Half"], ["paper", "blue"]])];
  page.drafts.start();
  papers[2].checked = true;
  page.type(papers[2], "red");
  await settle();
  assert.equal(form.elements[0].value, "Half");
  assert.deepEqual(papers.map(({ checked }) => checked), [false, false, true]);
});

test("a form that is made again gets what was typed last, and a form that was sent nothing", async () => {
  const { letter, page } = opened([draft([["subject", "old"], ["body", ""]])]);
  await settle();
  page.type(letter.elements[0], "new");
  page.clock.advance(2);
  const again = letterOf();
  page.forms.splice(0, 1, again);
  globalThis.mutate();
  assert.equal(again.elements[0].value, "new");
  page.tell("submit", again);
  page.clock.advance(0);
  page.forms.splice(0, 1, letterOf());
  globalThis.mutate();
  assert.equal(page.forms[0].elements[0].value, "");
});

test("the draft of a form that was sent is deleted, also if it is being saved or about to be", () => {
  for (const type of ["submit", "reset", "idlewatch:sent"]) {
    const { letter, page } = opened();
    page.type(letter.elements[0], "A letter");
    page.tell(type, letter);
    page.clock.advance(5);
    page.window.dispatchEvent(new Event("pagehide"));
    assert.deepEqual([page.deleted, page.saved], [["letter"], []], type);
    assert.equal(page.asked.at(-1).options.keepalive, true);
  }
  const { letter, page } = opened();
  page.type(letter.elements[0], "A letter");
  page.clock.advance(2);
  const { signal } = page.asked.at(-1).options;
  page.tell("submit", letter);
  page.clock.advance(0);
  assert.ok(signal.aborted);
});

test("a form that a script has prevented, or that closes a dialog, is not sent", () => {
  const dialog = new FakeForm([new FakeField("subject")], { "data-idlewatch-draft": "", id: "dialog", method: "DIALOG" });
  const page = new Page([letterOf(), dialog]);
  page.drafts.start();
  page.tell("submit", page.forms[0], { defaultPrevented: true });
  page.tell("submit", dialog);
  page.clock.advance(5);
  assert.deepEqual(page.deleted, []);
});

test("the draft of what htmx has sent is deleted when the server has accepted it", () => {
  const { letter, page } = opened();
  const after = (detail) => page.tell("htmx:afterRequest", letter, { detail: { elt: letter, ...detail } });
  after({ successful: false, requestConfig: { verb: "post" } });
  after({ successful: true, requestConfig: { verb: "get" } });
  assert.deepEqual(page.deleted, []);
  after({ successful: true, requestConfig: { verb: "post" } });
  assert.deepEqual(page.deleted, ["letter"]);
});

const refused = (fields = [["subject", "A letter"], ["body", "Good evening,"]]) => ({ kind: "refused", form: "r1", saved: 2, action: "/send/", fields });

test("a refused form is offered, not restored by itself, and replaces the draft", async () => {
  const letter = letterOf();
  const page = new Page([letter], { kept: true });
  page.kept = [refused(), draft([["subject", "Half"], ["body", ""]])];
  page.drafts.start();
  await settle();
  globalThis.mutate();
  assert.deepEqual(page.offers.map(({ text }) => text), ["not_sent"]);
  assert.equal(letter.elements[0].value, "");
  letter.elements[0].focus = () => page.asked.push("focus");
  page.offers[0].choices.put_back();
  assert.deepEqual(letter.elements.map(({ value }) => value), ["A letter", "Good evening,"]);
  assert.equal(page.asked.at(-1), "focus");
  page.tell("submit", letter);
  page.clock.advance(0);
  assert.deepEqual(page.deleted, ["letter", "r1"]);
});

test("a refused form may be discarded, and is not offered again", async () => {
  const plain = new FakeForm([new FakeField("subject")], { action: "/send/" });
  const page = new Page([plain], { kept: true });
  page.kept = [refused()];
  page.drafts.start();
  await settle();
  page.offers[0].choices.discard();
  globalThis.mutate();
  assert.deepEqual([page.deleted, page.offers.length, plain.elements[0].value], [["r1"], 1, ""]);
});

test("a form that is added later is restored too", async () => {
  const page = new Page([], { kept: true });
  page.kept = [refused()];
  page.drafts.start();
  await settle();
  assert.deepEqual(page.offers, []);
  page.forms.push(letterOf());
  globalThis.mutate();
  assert.equal(page.offers.length, 1);
});

test("a form that is posted to the site names its private fields, once; no other does", () => {
  const fields = () => [new FakeField("subject"), new FakeField("pin", "1", { type: "password" }), new FakeField("pin", "2", { type: "password" })];
  const named = (form) => {
    const page = new Page([form]);
    page.drafts.start();
    const formData = new FormData();
    page.tell("formdata", form, { formData });
    return formData.getAll("_idlewatch_private");
  };
  assert.deepEqual(named(new FakeForm(fields(), { method: "POST" })), ["pin"]);
  assert.deepEqual(named(new FakeForm(fields(), { method: "post", action: "https://site.example/send/" })), ["pin"]);
  assert.deepEqual(named(new FakeForm([new FakeField("subject")], { method: "post" })), []);
  assert.deepEqual(named(new FakeForm(fields())), []);
  assert.deepEqual(named(new FakeForm(fields(), { method: "post", action: "https://other.example/" })), []);
});

test("after a stop nothing is saved", () => {
  const { letter, page } = opened();
  page.type(letter.elements[0], "A letter");
  page.drafts.stop();
  page.clock.advance(5);
  page.window.dispatchEvent(new Event("pagehide"));
  page.tell("submit", letter);
  page.clock.advance(5);
  assert.deepEqual([page.saved, page.deleted], [[], []]);
});

test("forms are identified by their attributes, whatever their fields are called", () => {
  const first = new FakeForm([new FakeField("id", "x")], { "data-idlewatch-draft": "" });
  const named = new FakeForm([new FakeField("note")], { "data-idlewatch-draft": "", name: "reply" });
  const own = new FakeForm([new FakeField("note")], { "data-idlewatch-draft": "own", id: "other" });
  const long = new FakeForm([new FakeField("note")], { "data-idlewatch-draft": "", id: "a".repeat(150) });
  const page = new Page([first, named, own, long]);
  page.drafts.start();
  for (const form of page.forms) page.type(form.elements[0], "typed");
  page.clock.advance(2);
  assert.deepEqual(page.saved.map(([name]) => name), ["0", "reply", "own", "a".repeat(100)]);
  assert.deepEqual(fieldsOf(first), first.elements);
});
