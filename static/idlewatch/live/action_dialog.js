/** The dialog of an action: asks for confirmation, shows the progress, and reports the outcome. */

import { enable, partOf, setPartText, setText } from "../ui/dom.js";
import { ActionTexts, failureReport, isPermanent, messageOf } from "./action_texts.js";
import { Run } from "./actions.js";
import { NoticeField } from "./notice_field.js";

/** Parts that are shown in some stages only. */
const OPTIONAL = /** @type {const} */ (["cancel", "text", "stop", "progress", "again", "close"]);

/** Leads the operator through one action at a time. */
export class ActionDialog {
  #stopping = new AbortController();
  #questions = 0;
  #run = /** @type {Run | null} */ (null);
  #total = 0;
  #before = 0;
  #action = /** @type {ActionName} */ ("end");
  #chosen = /** @type {Chosen} */ ({ watches: [] });
  #texts;

  /**
   * @param {object} options
   * @param {Element} options.root
   * @param {LiveI18n} options.i18n
   * @param {ActionServer} options.server
   * @param {(report: ActionReport) => void} options.onReport
   */
  constructor({ root, i18n, server, onReport }) {
    this.i18n = i18n;
    this.server = server;
    this.onReport = onReport;
    this.element = /** @type {HTMLDialogElement} */ (partOf(root, "dialog"));
    this.bar = /** @type {HTMLProgressElement} */ (this.element.querySelector("progress"));
    this.field = new NoticeField(this.element, i18n);
    this.#texts = new ActionTexts(i18n, this.#action, null);
  }

  start() {
    this.#stopping = new AbortController();
    const options = { signal: this.#stopping.signal };
    const on = (/** @type {string} */ name, /** @type {() => void} */ act) =>
      partOf(this.element, name).addEventListener("click", act, options);
    partOf(this.element, "form").addEventListener("submit", this.#confirm, options);
    this.element.addEventListener("cancel", this.#cancel, options);
    // A second Escape closes a dialog whatever its page does; the outcome is reported beside the table then.
    this.element.addEventListener("close", () => this.#run?.stop(), options);
    on("cancel", () => this.element.close());
    on("close", () => this.element.close());
    on("stop", () => this.#stop());
    on("again", () => this.#run !== null && this.#go(this.#run));
    this.field.start();
  }

  /** Close the dialog, and forget the question that is under way. */
  stop() {
    this.#questions += 1;
    this.#run?.stop();
    this.element.close();
    this.field.stop();
    this.#stopping.abort();
  }

  /**
   * @param {ActionName} action
   * @param {Chosen} chosen
   * @param {string | null} user The one whose sessions these are, if they are one user's.
   */
  async ask(action, chosen, user) {
    const question = ++this.#questions;
    this.#action = action;
    this.#chosen = chosen;
    this.#texts = new ActionTexts(this.i18n, action, user);
    try {
      const counted = await this.server.count(action, chosen);
      // The answer to a question that was called off must not open the dialog again.
      if (question === this.#questions) this.#open(counted);
    } catch (refusal) {
      if (question === this.#questions) this.onReport(failureReport("", refusal));
    }
  }

  /** @param {Counted} counted */
  #open(counted) {
    const { sessions, own, before } = counted;
    if (sessions === 0) {
      this.onReport({ outcome: this.i18n.text(own > 0 ? "nothing_but_own" : "nothing") });
      return;
    }
    this.#run = null;
    this.#total = sessions;
    this.#before = before;
    const { isNotice } = this.#texts;
    this.#say(this.#texts.title(sessions), this.#texts.question(counted));
    this.#show({ do: this.#action, cancel: true, text: isNotice });
    this.field.reset();
    this.element.showModal();
    if (isNotice) this.field.focus();
    else partOf(this.element, "cancel").focus();
  }

  #confirm = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (this.#run !== null) return;
    const { isNotice } = this.#texts;
    if (isNotice && !this.field.check()) return;
    this.#run = new Run({
      server: this.server,
      action: this.#action,
      chosen: this.#chosen,
      before: this.#before,
      text: isNotice ? this.field.text : undefined,
    });
    this.#go(this.#run);
  };

  /** @param {Run} run */
  async #go(run) {
    this.#show({ stop: true, progress: true });
    this.#say(this.#texts.progressTitle, "");
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
    const label = /** @type {Element} */ (this.element.querySelector("#live-progress-words"));
    setText(label, this.i18n.text("progress", { done, total }));
  }

  /** @param {Run} run */
  #finish({ stopped, outcome }) {
    const sentence = this.#texts.outcome(outcome);
    this.#say(this.i18n.text(stopped ? "title_stopped" : "title_done"), sentence);
    this.#show({ close: true });
    if (this.element.open) partOf(this.element, "close").focus();
    if (this.#texts.isNotice && !stopped) this.field.clear();
    const report = stopped ? `${this.i18n.text("stopped")} ${sentence}` : sentence;
    this.onReport({ outcome: report, ended: !this.#texts.isNotice });
  }

  /**
   * @param {Run} run
   * @param {unknown} refusal
   */
  #fail({ outcome }, refusal) {
    const sentence = outcome.done > 0 ? this.#texts.outcome(outcome) : "";
    const permanent = isPermanent(refusal);
    this.#say(this.i18n.text("title_unfinished"), sentence);
    setPartText(this.element, "trouble", messageOf(refusal));
    this.#show({ again: !permanent, close: true, trouble: true });
    if (this.element.open) partOf(this.element, permanent ? "close" : "again").focus();
    this.onReport(failureReport(sentence, refusal));
  }

  #stop() {
    this.#run?.stop();
    enable(partOf(this.element, "stop"), false);
    setPartText(this.element, "said", this.i18n.text("stopping"));
  }

  #cancel = (/** @type {Event} */ event) => {
    if (event.target !== this.element || partOf(this.element, "stop").hidden) return;
    // The action would go on unseen.
    event.preventDefault();
    this.#stop();
  };

  /**
   * @param {string} title
   * @param {string} text
   */
  #say(title, text) {
    setPartText(this.element, "title", title);
    setPartText(this.element, "said", text);
  }

  /**
   * Show these parts, and hide the others.
   * @param {Partial<Record<typeof OPTIONAL[number] | "trouble", boolean>> & {do?: ActionName}} parts
   */
  #show(parts) {
    for (const name of OPTIONAL) partOf(this.element, name).hidden = !parts[name];
    for (const button of this.element.querySelectorAll("[data-for]")) {
      button.toggleAttribute("hidden", button.getAttribute("data-for") !== parts.do);
    }
    if (!parts.trouble) setPartText(this.element, "trouble", "");
    enable(partOf(this.element, "stop"), true);
  }
}
