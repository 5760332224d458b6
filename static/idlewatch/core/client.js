/** The client's heart: what comes in changes the session, what the session makes of it is shown. No DOM here. */

import { Holds } from "./holds.js";
import { CLOSE, ERROR, FRAME, MESSAGE, PAGE, PHASE } from "./protocol.js";
import { ActivityReporter } from "./reporter.js";
import { Session } from "./session.js";
import { Timer } from "./clock.js";

/** Seconds between two polls while the warning stands. */
const WARNED_POLL = 2;
/** Seconds between two questions that the page's own clock makes it ask. */
const ASK_EVERY = 2;
/** Seconds between two looks at the clock while nothing is near: a machine that slept is noticed by the next. */
const LOOK_EVERY = 30;

/**
 * @typedef {object} View What the user sees; the DOM is behind it.
 * @property {(state: State) => void} show
 * @property {(state: State) => void} end The content goes, the reason is told.
 * @property {(state: State) => void} leave On to the sign-in page.
 * @property {() => void} restore The content comes back as it was.
 * @property {() => void} foreign The content goes for good, and the page to the start page.
 * @property {(text: string, id: string) => void} notice
 */

/**
 * @typedef {object} Events What the host's scripts hear.
 * @property {(state: State) => void} state
 * @property {(state: State) => boolean} warned False where a script shows a warning of its own.
 * @property {(state: State) => boolean} ended False where a script takes the user on.
 * @property {(state: State) => void} resumed
 */

/** Ties session, link, activity and holds to what is shown. */
export class Client {
  #started = false;
  #extending = false;
  #asked = /** @type {Moment | null} */ (null);
  #heard = /** @type {Moment | null} */ (null);
  #shown = /** @type {State | null} */ (null);
  #ownWarning = false;
  #renewed = false;
  #returning = false;
  #look;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(options: {interval: () => number, delegate: TransportDelegate}) => Transport} options.transport
   * @param {View} options.view
   * @param {Events} options.events
   * @param {number} options.heartbeat Seconds, until the server says otherwise.
   * @param {string} options.page An id for this page.
   * @param {() => boolean} options.visible Whether somebody may look at the page.
   * @param {() => void} options.onRenewal The user has signed in anew since the page was made.
   * @param {StateFrame | null} [options.frame] How the session stood when the page was made, so that a page which
   *   never reaches the server has a clock to go by.
   */
  constructor({ clock, transport, view, events, heartbeat, page, visible, onRenewal, frame = null }) {
    this.clock = clock;
    this.view = view;
    this.events = events;
    this.visible = visible;
    this.onRenewal = onRenewal;
    this.session = new Session(clock);
    if (frame !== null) this.session.accept(frame);
    this.transport = transport({
      interval: () => this.#interval(),
      delegate: {
        onFrame: (frame, fresh) => this.#hear(frame, fresh),
        onUp: () => this.#up(),
        onDown: () => this.#refresh(),
      },
    });
    const send = (/** @type {Message} */ message) => this.transport.send(message);
    this.reporter = new ActivityReporter({ clock, send, heartbeat });
    this.holds = new Holds({ clock, send, page });
    this.#look = new Timer(clock, () => this.#refresh());
  }

  /** Where the session stands now; null before the server has spoken. */
  get state() {
    return this.session.look({ reachable: this.transport.reachable });
  }

  start() {
    if (this.#started || this.session.ended) return;
    this.#started = true;
    this.transport.start();
    this.#refresh();
  }

  /**
   * Go silent: the page is hidden for good, or put into the browser's cache; `start` takes it up again.
   * @param {number} [code]
   */
  stop(code = CLOSE.CLOSED) {
    this.#started = false;
    this.#look.clear();
    this.transport.stop(code);
  }

  /**
   * The page goes away: say what is still held, then close.
   * @param {number} code
   */
  part(code) {
    if (this.#started) {
      for (const message of [...this.reporter.part(), ...this.holds.part()]) this.transport.part(message);
    }
    this.stop(code);
  }

  /** The page is back from the browser's cache: what it shows waits for the server. */
  comeBack() {
    this.session.doubt();
    this.start();
  }

  /** The user has signed in again: a page that has ended comes back, once the server says that the session lives. */
  renew() {
    this.#renewed = true;
    if (this.session.ended) this.#reunite();
  }

  /** Somebody else has signed in: nothing of this user may be seen any more. */
  disown() {
    this.#halt();
    this.view.foreign();
  }

  /** The user acted. */
  acted() {
    if (!this.#started) return;
    this.session.touch();
    this.holds.allow();
    this.reporter.record();
    if (this.#shown?.offline && this.#shown.phase === PHASE.WARNED) this.#refresh();
  }

  /** The user chose to stay. */
  extend() {
    if (this.session.ended) return;
    this.#extending = true;
    this.session.touch();
    if (!this.transport.send({ type: MESSAGE.EXTEND })) this.transport.hurry();
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
    this.transport.hurry();
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
    if (frame.page === PAGE.RENEWED) this.onRenewal();
    const returns = this.#returning && !this.session.ended;
    if (returns) this.view.restore();
    this.#returning = false;
    this.#refresh(true);
    if (returns && this.#shown !== null) this.events.resumed(this.#shown);
  }

  /** The server can be reached (again): it may have forgotten everything, or missed some of it. */
  #up() {
    if (!this.#started) return;
    this.reporter.replay();
    this.holds.renew();
    if (this.#extending) this.transport.send({ type: MESSAGE.EXTEND });
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
    if (!state.offline && (this.session.overdue || this.#unheard)) this.#ask();
    this.#look.set(this.#untilNextLook(state));
  }

  /** @param {State} state */
  #end(state) {
    this.#halt();
    if (state.page === PAGE.FOREIGN) {
      this.view.foreign();
      return;
    }
    this.view.end(state);
    // The end may be that of the session before: the new one's server knows.
    if (this.#renewed) this.#reunite();
    else if (this.events.ended(state)) this.view.leave(state);
  }

  #halt() {
    this.stop();
    this.reporter.stop();
    this.holds.stop();
  }

  #reunite() {
    this.#renewed = false;
    this.#returning = true;
    this.session = new Session(this.clock);
    this.#shown = null;
    this.start();
  }

  /** Ask for the state, but not again while the answer may be on its way. */
  #ask() {
    if (this.#asked !== null && this.clock.since(this.#asked) < ASK_EVERY) return;
    if (this.transport.send({ type: MESSAGE.SYNC })) this.#asked = this.clock.now();
  }

  /**
   * Whether the server has been silent for so long that it is asked to show that it hears: activity has no answer, and
   * some proxies swallow frames without a word. A page that nobody looks at can wait.
   */
  get #unheard() {
    // A timer may fire a little early, and would not come again for a heartbeat.
    const silent = this.#heard === null ? 0 : this.clock.since(this.#heard);
    return this.visible() && silent > this.reporter.heartbeat * 0.9;
  }

  #interval() {
    return this.session.frame?.phase === PHASE.WARNED ? WARNED_POLL : this.reporter.heartbeat;
  }

  /** @param {State} state */
  #untilNextLook({ phase, remaining, warn_before: warnBefore, hidden }) {
    if (phase === PHASE.WARNED && remaining > 0) return remaining % 1 || 1;
    if (hidden || this.session.overdue) return 1;
    return Math.min(LOOK_EVERY, this.reporter.heartbeat, Math.max(1, remaining - warnBefore));
  }
}

/**
 * @param {State | null} before
 * @param {State} now
 */
function changed(before, now) {
  return before === null || before.phase !== now.phase || before.offline !== now.offline || before.hidden !== now.hidden;
}
