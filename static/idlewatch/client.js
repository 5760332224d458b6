/** The client's heart: what comes in changes the session, what the session makes of it is shown. No DOM here. */

import { ActivityReporter } from "./reporter.js";
import { Holds } from "./holds.js";
import { CLOSE, ERROR, FRAME, MESSAGE, PHASE } from "./protocol.js";
import { Session } from "./session.js";
import { Timer } from "./timer.js";

/** Seconds between two polls while the warning stands. */
const WARNED_POLL = 2;
/** Seconds, at most, that activity goes out before the server is asked to show that it hears. */
const PROBE_EVERY = 60;
/** Seconds between two questions that the page's own clock makes it ask. */
const ASK_EVERY = 2;
/** Seconds between two looks at the clock while nothing is near: a machine that slept is noticed by the next. */
const LOOK_EVERY = 30;

/**
 * @typedef {object} View What the user sees; the DOM is behind it.
 * @property {(state: State) => void} show
 * @property {(state: State) => void} end The content goes, the reason is told.
 * @property {(state: State) => void} leave On to the sign-in page.
 * @property {(text: string, id: string) => void} notice
 */

/**
 * @typedef {object} Events What the host's scripts hear.
 * @property {(state: State) => void} state
 * @property {(state: State) => boolean} warned False where a script shows a warning of its own.
 * @property {(state: State) => boolean} ended False where a script takes the user on.
 */

/** Ties session, link, activity and holds to what is shown. */
export class Client {
  #started = false;
  #extending = false;
  #asked = /** @type {Moment | null} */ (null);
  #heard = /** @type {Moment | null} */ (null);
  #shown = /** @type {State | null} */ (null);
  #ownWarning = false;
  #look;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(options: {interval: () => number, delegate: LinkDelegate}) => Link} options.link
   * @param {View} options.view
   * @param {Events} options.events
   * @param {number} options.heartbeat Seconds, until the server says otherwise.
   * @param {string} options.page An id for this page.
   * @param {StateFrame | null} [options.frame] How the session stood when the page was made, so that a page which
   *   never reaches the server has a clock to go by.
   */
  constructor({ clock, link, view, events, heartbeat, page, frame = null }) {
    this.clock = clock;
    this.view = view;
    this.events = events;
    this.heartbeat = heartbeat;
    this.session = new Session(clock);
    if (frame !== null) this.session.accept(frame);
    this.link = link({
      interval: () => this.#interval(),
      delegate: {
        onFrame: (frame, fresh) => this.#hear(frame, fresh),
        onUp: () => this.#up(),
        onDown: () => this.#refresh(),
      },
    });
    const send = (/** @type {Message} */ message) => this.link.send(message);
    this.reporter = new ActivityReporter({ clock, send, heartbeat });
    this.holds = new Holds({ clock, send, page });
    this.#look = new Timer(clock, () => this.#refresh());
  }

  /** Where the session stands now; null before the server has spoken. */
  get state() {
    return this.session.look({ reachable: this.link.reachable });
  }

  start() {
    if (this.#started || this.session.ended) return;
    this.#started = true;
    this.link.start();
    this.#refresh();
  }

  /**
   * Go silent: the page is hidden for good, or put into the browser's cache; `start` takes it up again.
   * @param {number} [code]
   */
  stop(code = CLOSE.CLOSED) {
    this.#started = false;
    this.#look.clear();
    this.link.stop(code);
  }

  /**
   * The page goes away: say what is still held, then close.
   * @param {number} code
   */
  part(code) {
    if (this.#started) {
      for (const message of [...this.reporter.part(), ...this.holds.part()]) this.link.part(message);
    }
    this.stop(code);
  }

  /** The page is back from the browser's cache: what it shows waits for the server. */
  comeBack() {
    this.session.doubt();
    this.start();
  }

  /** The user has signed in again elsewhere: the page goes on in the new session. */
  reunite() {
    this.session = new Session(this.clock);
    this.#shown = null;
    this.start();
  }

  /** The user acted. */
  acted() {
    if (!this.#started) return;
    this.session.touch();
    this.holds.allow();
    this.reporter.record();
    if (this.#shown?.offline && this.#shown.phase === PHASE.WARNED) this.#refresh();
    if (this.#silentFor(this.#probeAfter())) this.#ask();
  }

  /** The user chose to stay. */
  extend() {
    if (this.session.ended) return;
    this.#extending = true;
    this.session.touch();
    if (!this.link.send({ type: MESSAGE.EXTEND })) this.link.hurry();
    this.#refresh();
  }

  /**
   * Begin work that needs no input.
   * @param {string} label
   * @param {() => boolean} [lasts]
   * @returns {HoldHandle}
   */
  hold(label, lasts) {
    return this.holds.hold(label, lasts);
  }

  /** The page has become visible, or the machine or the network is back: what was believed may be old. */
  wake() {
    if (!this.#started) return;
    this.link.hurry();
    this.#ask();
    this.#refresh();
  }

  /** The page is about to have its timers slowed down: send what they would send late. */
  doze() {
    this.reporter.flush();
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #hear(frame, fresh) {
    if (!this.#started) return;
    this.#heard = this.clock.now();
    if (frame.type === FRAME.STATE) this.#take(frame, fresh);
    else if (frame.type === FRAME.NOTICE) this.view.notice(frame.text, frame.id);
    else if (frame.code === ERROR.HOLD_REFUSED) this.holds.refuse();
    else console.warn("idlewatch:", frame.code, frame.detail);
  }

  /**
   * @param {StateFrame} frame
   * @param {boolean} fresh
   */
  #take(frame, fresh) {
    if (!this.session.accept(frame, { fresh })) return;
    this.#asked = null;
    this.reporter.heartbeat = frame.heartbeat;
    this.reporter.spacing = Math.max(1, (frame.idle_timeout - frame.warn_before) / 2);
    if (frame.phase !== PHASE.WARNED) this.#extending = false;
    else this.reporter.release();
    this.#refresh(true);
  }

  /** The server can be reached (again): it may have forgotten everything, or missed some of it. */
  #up() {
    if (!this.#started) return;
    this.reporter.replay();
    this.holds.renew();
    if (this.#extending) this.link.send({ type: MESSAGE.EXTEND });
  }

  /** @param {boolean} [told] The server has just spoken. */
  #refresh(told = false) {
    const state = this.state;
    if (state === null) return;
    const before = this.#shown;
    this.#shown = state;
    if (told || changed(before, state)) this.events.state(state);
    if (state.phase === PHASE.ENDED) {
      this.#end(state);
      return;
    }
    if (state.phase !== PHASE.WARNED) this.#ownWarning = false;
    else if (before?.phase !== PHASE.WARNED) this.#ownWarning = !this.events.warned(state);
    this.view.show(this.#ownWarning ? { ...state, phase: PHASE.ACTIVE } : state);
    if (!this.#started) return;
    if (this.session.overdue && !state.offline) this.#ask();
    this.#look.set(this.#untilNextLook(state));
  }

  /** @param {State} state */
  #end(state) {
    this.stop();
    this.reporter.stop();
    this.holds.stop();
    this.view.end(state);
    if (this.events.ended(state)) this.view.leave(state);
  }

  /** Ask for the state, but not again while the answer may be on its way. */
  #ask() {
    if (this.#asked !== null && this.clock.since(this.#asked) < ASK_EVERY) return;
    if (this.link.send({ type: MESSAGE.SYNC })) this.#asked = this.clock.now();
  }

  /** @param {number} seconds */
  #silentFor(seconds) {
    return this.#heard !== null && this.clock.since(this.#heard) >= seconds;
  }

  /** Activity has no answer: how long it may go out unanswered before the page makes sure that somebody listens. */
  #probeAfter() {
    const frame = this.session.frame;
    const span = frame === null ? PROBE_EVERY : (frame.idle_timeout - frame.warn_before) / 4;
    return Math.min(PROBE_EVERY, Math.max(this.reporter.heartbeat, span));
  }

  #interval() {
    return this.session.frame?.phase === PHASE.WARNED ? WARNED_POLL : this.reporter.heartbeat;
  }

  /** @param {State} state */
  #untilNextLook({ phase, remaining, warn_before: warnBefore, hidden }) {
    if (phase === PHASE.WARNED && remaining > 0) return remaining % 1 || 1;
    if (hidden || this.session.overdue) return 1;
    return Math.min(LOOK_EVERY, Math.max(1, remaining - warnBefore));
  }
}

/**
 * @param {State | null} before
 * @param {State} now
 */
function changed(before, now) {
  return before === null || before.phase !== now.phase || before.offline !== now.offline || before.hidden !== now.hidden;
}
