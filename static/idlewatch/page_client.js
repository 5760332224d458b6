/** The client of a page, put together. */

import { PageOwner } from "./auth/page_owner.js";
import { SignInChannel } from "./auth/sign_in_channel.js";
import { eventsOn } from "./core/api.js";
import { Client } from "./core/client.js";
import { Clock } from "./core/clock.js";
import { pageId } from "./core/holds.js";
import { addressed } from "./core/protocol.js";
import { FormObserver } from "./observers/forms.js";
import { InputObserver } from "./observers/input.js";
import { LifecycleObserver } from "./observers/lifecycle.js";
import { MediaObserver } from "./observers/media.js";
import { NavigationObserver } from "./observers/navigation.js";
import { UnsavedInput } from "./observers/unsaved.js";
import { Backoff } from "./transport/backoff.js";
import { Transport } from "./transport/index.js";
import { Polling } from "./transport/polling.js";
import { socketAddress } from "./transport/socket.js";
import { TabSocket } from "./transport/websocket.js";
import { I18n } from "./ui/i18n.js";
import { PageView } from "./ui/view.js";

/** Seconds: the bounds of the first and of the last wait between two attempts. */
const RECONNECT = { base: 2, cap: 30 };
/** Seconds before the small sign-in window closes itself: the token must reach the other tabs first. */
const CLOSE_AFTER = 0.5;

/**
 * @typedef {object} Config What the template tag hands over.
 * @property {string} socket
 * @property {string} state
 * @property {string} message
 * @property {string} page
 * @property {string} logout
 * @property {string} login
 * @property {string} signIn Where to sign in again without losing the page.
 * @property {string} reauthenticate Where to do so before the session ends.
 * @property {string} home The start page.
 * @property {string} language Of the sentences.
 * @property {string} direction
 * @property {string} csrf
 * @property {string} csrfHeader The name of the header in which scripts send it.
 * @property {string} [drafts] Where drafts are stored, if they are.
 * @property {string} [draftsScript] The address of the script for them.
 * @property {boolean} [kept] Whether a rejected form of this user is stored.
 * @property {string} token Tells the session and its user from others.
 * @property {StateFrame} frame The state when the page was made.
 * @property {Record<string, string>} strings
 */

/** @typedef {(context: DraftContext) => {start: () => void, stop: () => void}} MakeDrafts */

/** Builds the parts, connects them, and starts and stops them together. */
export class PageClient {
  /**
   * @param {Config} config
   * @param {DocumentFragment} markup
   * @param {MakeDrafts} makeDrafts
   */
  constructor(config, markup, makeDrafts) {
    const clock = new Clock();
    const fetch = window.fetch.bind(window);
    const i18n = new I18n(config);
    const unsaved = new UnsavedInput(document);
    const page = { window, clock, fetch, i18n, unsaved, config, server: config };
    const navigation = new NavigationObserver({ ...page, onLeave: () => client.transport.leave() });
    const view = new PageView({
      ...page,
      markup,
      onStay: () => client.extend(),
      isLeaving: () => navigation.leaving,
    });
    const client = new Client({
      clock,
      view,
      events: eventsOn(document),
      heartbeat: config.frame.heartbeat,
      frame: config.frame,
      page: pageId(),
      visible: () => document.visibilityState === "visible",
      onRenewal: () => pageOwner.ask(),
      transport: (options) => makeTransport({ ...page, ...options }),
    });
    const hold = client.hold.bind(client);
    const forms = new FormObserver({ ...page, hold, label: i18n.text("form") });
    const signInChannel = new SignInChannel({
      // Of this site: others on the host have tabs of their own.
      open: () => ("BroadcastChannel" in window ? new BroadcastChannel(config.socket.split("?")[0]) : null),
      onToken: (token) => {
        if (token !== config.token) pageOwner.ask();
      },
    });
    const pageOwner = new PageOwner({
      ...page,
      backoff: new Backoff(RECONNECT),
      delegate: {
        onRenewed: (csrf) => {
          view.replaceTokens(csrf);
          client.resume();
        },
        onForeign: () => client.drop(),
      },
    });
    this.config = config;
    this.clock = clock;
    this.client = client;
    this.unsaved = unsaved;
    this.signInChannel = signInChannel;
    this.parts = [
      navigation,
      new LifecycleObserver({
        window,
        navigation,
        delegate: {
          onWake: () => (client.session.ended ? pageOwner.ask() : client.wake()),
          onHide: () => client.flush(),
          onLeave: (code) => {
            forms.release();
            signInChannel.stop();
            client.leave(code);
          },
          onReturn: () => {
            signInChannel.start();
            if (!client.session.ended) {
              client.returnFromCache();
              return;
            }
            view.returnFromCache();
            pageOwner.ask();
          },
        },
      }),
      new InputObserver({
        ...page,
        onActivity: (event) => {
          unsaved.record(event);
          client.recordActivity();
        },
      }),
      forms,
      makeDrafts({ ...page, view }),
      new MediaObserver({ document, hold, label: i18n.text("media") }),
      signInChannel,
      client,
    ];
  }

  start() {
    this.unsaved.find(document);
    for (const part of this.parts) part.start();
    this.signInChannel.announce(this.config.token);
    // This is the page that the small window shows after the user has signed in again.
    if (document.querySelector("[data-idlewatch-close]") !== null) this.clock.after(CLOSE_AFTER, () => window.close());
  }

  stop() {
    for (const part of this.parts) part.stop();
  }
}

/**
 * @param {object} options
 * @param {Clock} options.clock
 * @param {Config} options.server
 * @param {(address: string, options: RequestInit) => Promise<Response>} options.fetch
 * @param {() => number} options.interval
 * @param {TransportDelegate} options.delegate
 */
function makeTransport({ interval, delegate, ...page }) {
  const { server } = page;
  const open = () => new WebSocket(socketAddress(addressed(server.socket, server.token), window.location.href));
  const pollingBackoff = new Backoff({ ...RECONNECT, cap: server.frame.heartbeat });
  return new Transport({
    interval,
    delegate,
    websocket: (delegate) => new TabSocket({ ...page, delegate, open, backoff: new Backoff(RECONNECT) }),
    polling: (delegate) => new Polling({ ...page, delegate, backoff: pollingBackoff }),
  });
}
