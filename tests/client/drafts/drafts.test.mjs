import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../../static/idlewatch/drafts/drafts.js";
import { FakeField, FakeForm, dispatch, fakeWindow, mutate } from "../dom.mjs";
import { FakeClock, settle } from "../support.mjs";

/** A page with its server. */
class Page {
  clock = new FakeClock();
  window = fakeWindow("https://site.example/letters/new/?to=7");
  requests = [];
  offers = [];
  status = 200;

  constructor({ forms, stored, ...server }) {
    this.forms = forms;
    this.stored = stored;
    const marked = () => forms.filter((form) => form.getAttribute("data-idlewatch-draft") !== null);
    Object.assign(this.window.document, { forms, querySelectorAll: (selector) => (selector.startsWith("form") ? marked() : []) });
    this.server = { drafts: "/drafts/", kept: false, token: "t-t", csrf: "first", csrfHeader: "X-Token", ...server };
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
    const answer = { ok: this.status === 200, status: this.status };
    if (options.body === undefined) {
      this.requests.push({ address });
      return { ...answer, json: async () => ({ drafts: this.stored }) };
    }
    this.requests.push({ address, ...JSON.parse(options.body), options });
    if (this.status === 0) throw new TypeError("the network is gone");
    return answer;
  };

  /** Type as the user, whose events are trusted. */
  type(field, value, isTrusted = true) {
    field.value = value;
    dispatch(this.window, "input", { isTrusted, composedPath: () => [field] });
  }

  dispatch(type, target, detail = {}) {
    dispatch(this.window, type, { target, defaultPrevented: false, ...detail });
  }

  /** Submit a form, of which a later listener may see the event. */
  submit(form) {
    this.dispatch("submit", form);
    this.clock.advance(0);
  }

  get saved() {
    return this.requests.filter(({ fields }) => fields).map(({ form, fields }) => [form, ...fields.flat()]);
  }

  get deleted() {
    return this.requests.filter(({ fields }) => fields === null).map(({ form }) => form);
  }
}

const markedForm = (fields, attributes = {}) => new FakeForm(fields, { "data-idlewatch-draft": "", ...attributes });
const letterOf = (id = "letter") => markedForm([new FakeField("subject"), new FakeField("body", "Good day,")], { id, action: "/send/" });
const draft = (fields, form = "letter") => ({ kind: "draft", form, saved: 1, fields });
const refused = () => {
  const fields = [["subject", "A letter"], ["body", "Good evening,"]];
  return { kind: "refused", form: "r1", saved: 2, action: "/send/", fields };
};

/** A page whose drafts are observed, with its first form; the server has stored some drafts. */
function opened({ forms = [letterOf()], stored = [], ...server } = {}) {
  const page = new Page({ forms, stored, ...server });
  page.drafts.start();
  return { page, letter: forms[0] };
}

test("a form is saved two seconds after the last input, and not again unless it changed", async () => {
  const { letter, page } = opened();
  page.type(letter.elements[0], "H");
  page.clock.advance(1.9);
  page.type(letter.elements[0], "Ha");
  page.clock.advance(1.9);
  assert.deepEqual(page.saved, []);
  page.clock.advance(0.1);
  assert.deepEqual(page.saved, [["letter", "subject", "Ha", "body", "Good day,"]]);
  const { address, page: place, options } = page.requests.at(-1);
  assert.deepEqual([address, place], ["/drafts/?for=t-t", "/letters/new/?to=7"]);
  assert.equal(options.headers["X-Token"], "first");
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
    dispatch(page.window, occasion);
    dispatch(page.window, "pagehide");
    assert.equal(page.saved.length, 1, occasion);
    assert.equal(page.requests.at(-1).options.keepalive, true);
    await settle();
  }
  const { letter, page } = opened();
  page.type(letter.elements[0], "ä".repeat(30_000));
  dispatch(page.window, "pagehide");
  assert.equal(page.requests.at(-1).options.keepalive, false, "the browser would refuse so much");
});

test("a draft that could not be saved is saved at the next occasion, with the newest token, unless it is too large", async () => {
  for (const [status, csrfs] of [[0, ["first", "second"]], [401, ["first", "second"]], [503, ["first", "second"]], [413, ["first"]]]) {
    const { letter, page } = opened();
    await settle();
    page.status = status;
    page.type(letter.elements[0], "Half a letter");
    page.clock.advance(2);
    await settle();
    page.status = 200;
    page.server.csrf = "second";
    dispatch(page.window, "idlewatch:resumed");
    const saving = page.requests.filter(({ fields }) => fields);
    assert.deepEqual(saving.map(({ options }) => options.headers["X-Token"]), csrfs, String(status));
    await settle();
  }
});

test("unmarked forms, what scripts fill in, and what is typed after a stop are not saved", () => {
  const [marked, plain] = [letterOf(), new FakeForm([new FakeField("subject")])];
  const { page } = opened({ forms: [marked, plain] });
  page.type(plain.elements[0], "typed");
  page.type(marked.elements[0], "by a script", false);
  dispatch(page.window, "pagehide");
  page.clock.advance(5);
  page.type(marked.elements[0], "A letter");
  page.drafts.stop();
  page.clock.advance(5);
  dispatch(page.window, "pagehide");
  page.submit(marked);
  assert.deepEqual([page.saved, page.deleted], [[], []]);
});

test("drafts are loaded once, and only if there may be some", async () => {
  for (const [options, loads] of [
    [{}, 1],
    [{ forms: [], kept: true }, 1],
    [{ forms: [] }, 0],
    [{ drafts: undefined }, 0],
  ]) {
    const { page } = opened(options);
    mutate();
    await settle();
    assert.deepEqual(page.requests, new Array(loads).fill({ address: "/drafts/?page=%2Fletters%2Fnew%2F%3Fto%3D7&for=t-t" }));
  }
});

test("a draft is put back into the form of its name, and the user is notified", async () => {
  const other = letterOf("other");
  const { letter, page } = opened({ forms: [letterOf(), other], stored: [draft([["subject", "Half"], ["body", "Good day,"]])] });
  await settle();
  assert.deepEqual([letter.elements[0].value, other.elements[0].value], ["Half", ""]);
  assert.deepEqual(page.offers.map(({ text }) => text), ["restored"]);
  mutate();
  assert.equal(page.offers.length, 1);
  page.type(letter.elements[0], "Half");
  page.clock.advance(2);
  assert.deepEqual(page.saved, [], "it is as it was");
  const { page: unchanged } = opened({ stored: [draft([["subject", ""], ["body", "Good day,"]])] });
  await settle();
  assert.deepEqual(unchanged.offers, []);
});

test("fields that the user has changed before the answer stay, a choice among several included", async () => {
  const papers = ["white", "blue", "red"].map((value) => new FakeField("paper", value, { type: "radio" }));
  const form = markedForm([new FakeField("subject"), ...papers], { id: "letter" });
  const { page } = opened({ forms: [form], stored: [draft([["subject", "Half"], ["paper", "blue"]])] });
  papers[2].checked = true;
  page.type(papers[2], "red");
  await settle();
  assert.equal(form.elements[0].value, "Half");
  assert.deepEqual(papers.map(({ checked }) => checked), [false, false, true]);
});

test("a form that is made again gets what was typed last, and a form that was sent nothing", async () => {
  const { letter, page } = opened({ stored: [draft([["subject", "old"], ["body", ""]])] });
  await settle();
  page.type(letter.elements[0], "new");
  page.clock.advance(2);
  const again = letterOf();
  page.forms.splice(0, 1, again);
  mutate();
  assert.equal(again.elements[0].value, "new");
  page.submit(again);
  page.forms.splice(0, 1, letterOf());
  mutate();
  assert.equal(page.forms[0].elements[0].value, "");
});

test("the draft of a form that was sent is deleted, also if it is being saved or about to be", () => {
  for (const type of ["submit", "reset", "idlewatch:sent"]) {
    const { letter, page } = opened();
    page.type(letter.elements[0], "A letter");
    page.dispatch(type, letter);
    page.clock.advance(5);
    dispatch(page.window, "pagehide");
    assert.deepEqual([page.deleted, page.saved], [["letter"], []], type);
    assert.equal(page.requests.at(-1).options.keepalive, true);
  }
  const { letter, page } = opened();
  page.type(letter.elements[0], "A letter");
  page.clock.advance(2);
  const { signal } = page.requests.at(-1).options;
  page.submit(letter);
  assert.ok(signal.aborted);
});

test("a form that a script has prevented, or that closes a dialog, is not sent", () => {
  const dialog = markedForm([new FakeField("subject")], { id: "dialog", method: "DIALOG" });
  const { letter, page } = opened({ forms: [letterOf(), dialog] });
  page.dispatch("submit", letter, { defaultPrevented: true });
  page.submit(dialog);
  assert.deepEqual(page.deleted, []);
});

test("the draft of what htmx has sent is deleted when the server has accepted it", () => {
  const { letter, page } = opened();
  const after = (detail) => page.dispatch("htmx:afterRequest", letter, { detail: { elt: letter, ...detail } });
  after({ successful: false, requestConfig: { verb: "post" } });
  after({ successful: true, requestConfig: { verb: "get" } });
  assert.deepEqual(page.deleted, []);
  after({ successful: true, requestConfig: { verb: "post" } });
  assert.deepEqual(page.deleted, ["letter"]);
});

test("a refused form is offered, not restored by itself, and replaces the draft", async () => {
  const { letter, page } = opened({ stored: [refused(), draft([["subject", "Half"], ["body", ""]])], kept: true });
  await settle();
  mutate();
  assert.deepEqual(page.offers.map(({ text }) => text), ["not_sent"]);
  assert.equal(letter.elements[0].value, "");
  letter.elements[0].focus = () => page.requests.push("focus");
  page.offers[0].choices.put_back();
  assert.deepEqual(letter.elements.map(({ value }) => value), ["A letter", "Good evening,"]);
  assert.equal(page.requests.at(-1), "focus");
  page.submit(letter);
  assert.deepEqual(page.deleted, ["letter", "r1"]);
});

test("a refused form may be added to the page later, and discarded, and is not offered again", async () => {
  const { page } = opened({ forms: [], stored: [refused()], kept: true });
  await settle();
  assert.deepEqual(page.offers, []);
  const plain = new FakeForm([new FakeField("subject")], { action: "/send/" });
  page.forms.push(plain);
  mutate();
  page.offers[0].choices.discard();
  mutate();
  assert.deepEqual([page.deleted, page.offers.length, plain.elements[0].value], [["r1"], 1, ""]);
});

test("a form that is posted to the site names its private fields, once; no other does", () => {
  const subject = new FakeField("subject");
  const pins = ["1", "2"].map((value) => new FakeField("pin", value, { type: "password" }));
  for (const [fields, attributes, named] of [
    [[subject, ...pins], { method: "POST" }, ["pin"]],
    [[subject, ...pins], { method: "post", action: "https://site.example/send/" }, ["pin"]],
    [[subject], { method: "post" }, []],
    [[subject, ...pins], {}, []],
    [[subject, ...pins], { method: "post", action: "https://other.example/" }, []],
  ]) {
    const form = new FakeForm(fields, attributes);
    const formData = new FormData();
    opened({ forms: [form] }).page.dispatch("formdata", form, { formData });
    assert.deepEqual(formData.getAll("_idlewatch_private"), named);
  }
});

test("forms are identified by their attributes, whatever their fields are called", () => {
  const forms = [
    markedForm([new FakeField("id", "x")]),
    markedForm([new FakeField("note")], { name: "reply" }),
    markedForm([new FakeField("note")], { "data-idlewatch-draft": "own", id: "other" }),
    markedForm([new FakeField("note")], { id: "a".repeat(150) }),
  ];
  const { page } = opened({ forms });
  for (const form of forms) page.type(form.elements[0], "typed");
  page.clock.advance(2);
  assert.deepEqual(page.saved.map(([name]) => name), ["0", "reply", "own", "a".repeat(100)]);
});
