/** The sentences about an action: the question before it, its outcome, its failure. */

/**
 * @typedef {object} ActionReport What to show beside the table.
 * @property {string} outcome
 * @property {string} [trouble] A failure, which is over once the server answers again.
 * @property {boolean} [ended] Whether the selected sessions were ended.
 */

/** Around a name, so that its direction of writing affects nothing beside it. */
const ISOLATED = ["\u2068", "\u2069"];

/** Phrases one action. */
export class ActionTexts {
  /**
   * @param {LiveI18n} i18n
   * @param {ActionName} action
   * @param {string | null} user The one whose sessions these are, if they are one user's.
   */
  constructor(i18n, action, user) {
    this.i18n = i18n;
    this.isNotice = action === "notice";
    this.user = user;
  }

  /** @param {number} sessions */
  title(sessions) {
    return this.i18n.plural(this.isNotice ? "notice" : "end", sessions);
  }

  /** @param {Counted} counted */
  question({ users, own }) {
    const sentences = [this.#concerned(users)];
    if (own > 0) sentences.push(this.i18n.plural("own", own));
    return sentences.join(" ");
  }

  get progressTitle() {
    return this.i18n.text(this.isNotice ? "title_sending" : "title_ending");
  }

  /** @param {Outcome} outcome */
  outcome({ done, own, reached, open }) {
    const sentences = [this.isNotice ? this.i18n.text("reached", { reached, open }) : this.i18n.plural("ended", done)];
    if (own > 0) sentences.push(this.i18n.plural("own_left", own));
    return sentences.join(" ");
  }

  /** @param {number} users */
  #concerned(users) {
    if (users !== 1 || this.user === null) return this.i18n.plural("users", users);
    return this.i18n.text("one_user", { user: ISOLATED.join(this.user) });
  }
}

/**
 * Report a failed action. A permanent refusal stays beside the table, any other until the server answers again.
 * @param {string} outcome What was done before.
 * @param {unknown} refusal
 * @returns {ActionReport}
 */
export function failureReport(outcome, refusal) {
  const trouble = messageOf(refusal);
  return isPermanent(refusal) ? { outcome: `${outcome} ${trouble}`.trim() } : { outcome, trouble };
}

/** @param {unknown} refusal */
export function isPermanent(refusal) {
  return refusal instanceof Error && "permanent" in refusal && refusal.permanent === true;
}

/** @param {unknown} refusal */
export function messageOf(refusal) {
  return refusal instanceof Error ? refusal.message : String(refusal);
}
