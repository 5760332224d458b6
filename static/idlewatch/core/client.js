/** The client: frames and the clock change the session, and each change is presented. It does not touch the page. */

import { Timer } from "./clock.js";
import { Holds } from "./holds.js";
import { Inquiry } from "./inquiry.js";
import { Presenter } from "./presenter.js";
import { CLOSE, ERROR, FRAME, PAGE, PHASE } from "./protocol.js";
import { ActivityReporter } from "./reporter.js";
import { pollInterval, untilRefresh } from "./schedule.js";
import { Session } from "./session.js";

/** Ties transport, session, activity and holds to what is presented. */
export class Client {
  #started = false;
  #signedInAgain = false;
  #inquiry;
  #presenter;
  #refreshing;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(options: {interval: () => number, delegate: TransportDelegate}) => Transport} options.transport
   * @param {View} options.view
   * @param {Events} options.events
   * @param {number} options.heartbeat Seconds, until the server sends its own.
   * @param {string} options.page An id of this page.
   * @param {() => boolean} options.visible Whether the user can see the page.
   * @param {() => void} options.onRenewal The user has signed in again since the page was made.
   * @param {StateFrame | null} [options.frame] The state when the page was made, for a page that never reaches the server.
   */
  constructor({ clock, transport, view, events, heartbeat, page, visible, onRenewal, frame = null }) {
    this.clock = clock;
    this.view = view;
    this.events = events;
    this.onRenewal = onRenewal;
    this.session = new Session(clock);
    if (frame !== null) this.session.accept(frame);
    this.transport = transport({
      interval: () => pollInterval(this.session.frame, this.reporter.heartbeat),
      delegate: {
        onFrame: (received, fresh) => this.#receive(received, fresh),
        onUp: () => this.#catchUp(),
        onDown: () => this.#refresh(),
      },
    });
    const send = (/** @type {Message} */ message) => this.transport.send(message);
    this.reporter = new ActivityReporter({ clock, send, heartbeat });
    this.holds = new Holds({ clock, send, page });
    this.#inquiry = new Inquiry({ clock, send, visible });
    this.#presenter = new Presenter({ view, events });
    this.#refreshing = new Timer(clock, () => this.#refresh());
  }

  /** The state as of now; null before the first frame. */
  get state() {
    return this.session.stateNow({ reachable: this.transport.reachable });
  }

  start() {
    if (this.#started || this.session.ended) return;
    this.#started = true;
    this.transport.start();
    this.#refresh();
  }

  /**
   * Close the connection, and send nothing more until `start`.
   * @param {number} [code]
   */
  stop(code = CLOSE.CLOSED) {
    this.#started = false;
    this.#refreshing.cancel();
    this.transport.stop(code);
  }

  /**
   * Send what is still unsent, and close: the page goes away.
   * @param {number} code
   */
  leave(code) {
    if (this.#started) {
      for (const message of [...this.reporter.takeUnsent(), ...this.holds.releases()]) this.transport.sendLast(message);
    }
    this.stop(code);
  }

  /** Start again, with the content hidden until the server answers: the page is back from the back/forward cache. */
  returnFromCache() {
    this.session.doubt();
    this.start();
  }

  /** Show the page again, once the server confirms the session: the user has signed in again. */
  resume() {
    this.#signedInAgain = true;
    if (this.session.ended) this.#openNextSession();
  }

  /** Remove everything of this user for good: another user has signed in. */
  drop() {
    this.#silence();
    this.view.drop();
  }

  /** Take note that the user acts now. */
  recordActivity() {
    if (!this.#started) return;
    this.session.touch();
    this.holds.allow();
    this.reporter.record();
    const { shown } = this.#presenter;
    if (shown?.offline && shown.phase === PHASE.WARNED) this.#refresh();
  }

  /** Extend the session: the user has chosen to stay. */
  extend() {
    if (this.session.ended) return;
    this.session.touch();
    if (!this.#inquiry.extend()) this.transport.hurry();
    this.#refresh();
  }

  /**
   * Hold the session for work that needs no input.
   * @param {string} label
   * @param {() => boolean} [lasts]
   * @returns {HoldHandle}
   */
  hold(label, lasts) {
    return this.holds.hold(label, lasts);
  }

  /** Ask the server now: the page is visible again, or the network or the machine is back. */
  wake() {
    if (!this.#started) return;
    this.transport.hurry();
    this.#inquiry.ask();
    this.#refresh();
  }

  /** Send what is held back now: the timers of a hidden page are slowed down. */
  flush() {
    this.reporter.flush();
  }

  /**
   * @param {Frame} frame
   * @param {boolean} fresh
   */
  #receive(frame, fresh) {
    if (!this.#started) return;
    this.#inquiry.received();
    if (frame.type === FRAME.STATE) this.#accept(frame, fresh);
    else if (frame.type === FRAME.NOTICE) this.view.notice(frame.text, frame.id);
    else if (frame.code === ERROR.HOLD_REFUSED) this.holds.refuse();
    else console.warn("idlewatch:", frame.code, frame.detail);
  }

  /**
   * @param {StateFrame} frame
   * @param {boolean} fresh
   */
  #accept(frame, fresh) {
    if (!this.session.accept(frame, { fresh })) return;
    this.#inquiry.answered(frame);
    this.reporter.follow(frame);
    if (frame.phase === PHASE.WARNED) this.reporter.release();
    if (frame.page === PAGE.RENEWED) this.onRenewal();
    this.#refresh(true);
  }

  /** Repeat what the server may have missed or forgotten: it can be reached again, or for the first time. */
  #catchUp() {
    if (!this.#started) return;
    this.reporter.replay();
    this.holds.renew();
    this.#inquiry.repeat();
  }

  /** @param {boolean} [received] Whether the server has just sent the state. */
  #refresh(received = false) {
    const { state } = this;
    if (state === null) return;
    this.#presenter.present(state, received);
    if (state.phase === PHASE.ENDED) {
      this.#end(state);
      return;
    }
    if (!this.#started) return;
    const { overdue } = this.session;
    const { heartbeat } = this.reporter;
    if (!state.offline && (overdue || this.#inquiry.isDoubtful(heartbeat))) this.#inquiry.ask();
    this.#refreshing.start(untilRefresh(state, overdue, heartbeat));
  }

  /** @param {State} state */
  #end(state) {
    this.#silence();
    if (state.page === PAGE.FOREIGN) {
      this.view.drop();
      return;
    }
    this.view.end(state);
    // The end may be that of the previous session; the server knows the next one.
    if (this.#signedInAgain) this.#openNextSession();
    else if (this.events("ended", state)) this.view.leave(state);
  }

  #silence() {
    this.stop();
    this.reporter.stop();
    this.holds.stop();
  }

  #openNextSession() {
    this.#signedInAgain = false;
    this.session = new Session(this.clock);
    this.#presenter.reset();
    this.start();
  }
}
