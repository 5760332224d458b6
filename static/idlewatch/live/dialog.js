/** Asks before an action, shows how far it is, and says what was done. */

import { Run } from "./actions.js";
import { enable, partOf, setPartText } from "../ui/dom.js";

/**
 * @typedef {object} ActionReport What to say beside the table.
 * @property {string} said
 * @property {string} [trouble] What is true until the server answers again.
 * @property {boolean} [over] What was selected has been ended.
 */

/** Around a name, so that how it is written turns round nothing beside it. */
const ISOLATED = ["\u2068", "\u2069"];

/** Leads the operator through one action at a time. */
export class ActionDialog {
  #run = /** @type {Run | null} */ (null);
  #asked = 0;
  #total = 0;
  #action = /** @type {ActionName} */ ("end");
  #chosen = /** @type {Chosen} */ ({ watches: [] });
  #before = 0;
  #user = /** @type {string | null} */ (null);

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {I18n} options.i18n
   * @param {ActionServer} options.server
   * @param {(report: ActionReport) => void} options.onDone
   */
  constructor({ root, i18n, server, onDone }) {
    this.i18n = i18n;
    this.server = server;
    this.onDone = onDone;
    this.element = /** @type {HTMLDialogElement} */ (partOf(root, "dialog"));
    this.area = /** @type {HTMLTextAreaElement} */ (this.element.querySelector("textarea"));
    this.bar = /** @type {HTMLProgressElement} */ (this.element.querySelector("progress"));
    partOf(this.element, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#confirm();
    });
    this.area.addEventListener("input", () => {
      this.#measure();
      this.#complain("");
    });
    this.element.addEventListener("cancel", (event) => this.#cancelled(event));
    this.element.addEventListener("close", () => this.#closed());
    partOf(this.element, "cancel").addEventListener("click", () => this.element.close());
    partOf(this.element, "close").addEventListener("click", () => this.element.close());
    partOf(this.element, "stop").addEventListener("click", () => this.#stop());
    partOf(this.element, "again").addEventListener("click", () => this.#again());
  }

  /**
   * @param {ActionName} action
   * @param {Chosen} chosen
   * @param {string | null} user Whose sessions they are, if they are one user's.
   */
  async ask(action, chosen, user) {
    // The answer to a question that was called off must not open its dialog again.
    const asked = ++this.#asked;
    this.#action = action;
    this.#chosen = chosen;
    this.#user = user;
    try {
      const counted = await this.server.count(action, chosen);
      if (asked === this.#asked) this.#question(counted);
    } catch (refusal) {
      if (asked === this.#asked) this.onDone(reportOf("", refusal));
    }
  }

  /** The page has nothing to act on any more. */
  abandon() {
    this.#asked += 1;
    this.#run?.stop();
    this.element.close();
  }

  /** @param {Counted} counted */
  #question({ sessions, users, own, before }) {
    if (sessions === 0) {
      this.onDone({ said: this.i18n.text(own > 0 ? "nothing_but_own" : "nothing") });
      return;
    }
    this.#run = null;
    this.#total = sessions;
    this.#before = before;
    const notice = this.#action === "notice";
    setPartText(this.element, "title", this.i18n.plural(notice ? "notice" : "end", sessions));
    const said = [this.#concerned(users)];
    if (own > 0) said.push(this.i18n.plural("own", own));
    setPartText(this.element, "said", said.join(" "));
    this.#show({ do: this.#action, cancel: true, text: notice });
    this.#complain("");
    if (notice) this.#measure();
    this.element.showModal();
    (notice ? this.area : partOf(this.element, "cancel")).focus();
  }

  /** @param {number} users */
  #concerned(users) {
    if (users !== 1 || this.#user === null) return this.i18n.plural("users", users);
    return this.i18n.text("one_user", { user: ISOLATED.join(this.#user) });
  }

  #confirm() {
    const text = this.#action === "notice" ? this.area.value.trim() : undefined;
    if (this.#run !== null) return;
    const wrong = text === undefined ? "" : this.#wrong(text);
    if (wrong !== "") {
      this.#complain(wrong);
      this.area.focus();
      return;
    }
    const { server } = this;
    this.#run = new Run({ server, action: this.#action, chosen: this.#chosen, before: this.#before, text });
    this.#go(this.#run);
  }

  /** @param {Run} run */
  async #go(run) {
    this.#show({ stop: true, progress: true });
    setPartText(this.element, "title", this.i18n.text(this.#action === "notice" ? "title_sending" : "title_ending"));
    setPartText(this.element, "said", "");
    this.#step(run.outcome);
    partOf(this.element, "title").focus();
    try {
      await run.go((outcome) => this.#step(outcome));
      this.#finish(run);
    } catch (refusal) {
      this.#fail(run, refusal);
    }
  }

  /** @param {Outcome} outcome */
  #step({ done }) {
    const total = Math.max(this.#total, done);
    this.bar.max = total;
    this.bar.value = done;
    const words = /** @type {Element} */ (this.element.querySelector("#live-progress-words"));
    words.textContent = this.i18n.text("progress", { done, total });
  }

  /** @param {Run} run */
  #finish(run) {
    const sentence = this.#sentence(run);
    setPartText(this.element, "title", this.i18n.text(run.stopped ? "title_stopped" : "title_done"));
    setPartText(this.element, "said", sentence);
    this.#show({ close: true });
    if (this.element.open) partOf(this.element, "close").focus();
    if (this.#action === "notice" && !run.stopped) this.area.value = "";
    const said = run.stopped ? `${this.i18n.text("stopped")} ${sentence}` : sentence;
    this.onDone({ said, over: this.#action !== "notice" });
  }

  /**
   * @param {Run} run
   * @param {unknown} refusal
   */
  #fail(run, refusal) {
    const sentence = run.outcome.done > 0 ? this.#sentence(run) : "";
    const lasting = isLasting(refusal);
    setPartText(this.element, "title", this.i18n.text("title_unfinished"));
    setPartText(this.element, "said", sentence);
    setPartText(this.element, "trouble", messageOf(refusal));
    this.#show({ again: !lasting, close: true, trouble: true });
    if (this.element.open) partOf(this.element, lasting ? "close" : "again").focus();
    this.onDone(reportOf(sentence, refusal));
  }

  /** @param {Run} run */
  #sentence({ outcome }) {
    const said = [];
    if (this.#action === "notice") {
      said.push(this.i18n.text("reached", { reached: outcome.reached, open: outcome.open }));
    } else said.push(this.i18n.plural("ended", outcome.done));
    if (outcome.own > 0) said.push(this.i18n.plural("own_left", outcome.own));
    return said.join(" ");
  }

  #again() {
    if (this.#run !== null) this.#go(this.#run);
  }

  #stop() {
    this.#run?.stop();
    enable(partOf(this.element, "stop"), false);
    setPartText(this.element, "said", this.i18n.text("stopping"));
  }

  /** @param {Event} event */
  #cancelled(event) {
    if (event.target !== this.element || partOf(this.element, "stop").hidden) return;
    // It would go on unseen.
    event.preventDefault();
    this.#stop();
  }

  /** A second Escape closes a dialog whatever its page says; what was done is said beside the table then. */
  #closed() {
    this.#run?.stop();
  }

  /** What is around the text is not sent. */
  #measure() {
    setPartText(this.element, "length", this.#length(this.area.value.trim()));
  }

  /** @param {string} text */
  #wrong(text) {
    if (text === "") return this.i18n.text("blank");
    return lengthOf(text) > this.#limit ? this.#length(text) : "";
  }

  /** @param {string} text */
  #length(text) {
    return this.i18n.text("characters", { count: lengthOf(text), limit: this.#limit });
  }

  get #limit() {
    return Number(this.area.dataset.limit);
  }

  /** @param {string} sentence What is wrong with the text; empty: nothing. */
  #complain(sentence) {
    setPartText(this.element, "wrong", sentence);
    this.area.setAttribute("aria-invalid", String(sentence !== ""));
  }

  /**
   * Show these parts, and hide the others.
   * @param {{do?: ActionName, cancel?: boolean, text?: boolean, stop?: boolean, progress?: boolean, again?: boolean,
   *   close?: boolean, trouble?: boolean}} parts
   */
  #show(parts) {
    for (const name of /** @type {const} */ (["cancel", "text", "stop", "progress", "again", "close"])) {
      partOf(this.element, name).hidden = !parts[name];
    }
    for (const button of this.element.querySelectorAll("[data-for]")) {
      button.toggleAttribute("hidden", button.getAttribute("data-for") !== parts.do);
    }
    if (!parts.trouble) setPartText(this.element, "trouble", "");
    enable(partOf(this.element, "stop"), true);
  }
}

/**
 * As the server counts: an emoji is one character.
 * @param {string} text
 */
function lengthOf(text) {
  return [...text].length;
}

/**
 * @param {string} sentence What was done all the same.
 * @param {unknown} refusal
 * @returns {ActionReport}
 */
function reportOf(sentence, refusal) {
  const trouble = messageOf(refusal);
  return isLasting(refusal) ? { said: `${sentence} ${trouble}`.trim() } : { said: sentence, trouble };
}

/** @param {unknown} refusal */
function isLasting(refusal) {
  return refusal instanceof Error && "lasting" in refusal && refusal.lasting === true;
}

/** @param {unknown} refusal */
function messageOf(refusal) {
  return refusal instanceof Error ? refusal.message : String(refusal);
}
