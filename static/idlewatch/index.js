/** The page's client: reads what the server put into the page, and puts the parts together. Importing it starts nothing. */

import { PageOwner } from "./auth/page_owner.js";
import { SignInChannel } from "./auth/sign_in_channel.js";
import { DocumentEvents, makeApi } from "./core/api.js";
import { Client } from "./core/client.js";
import { Clock } from "./core/clock.js";
import { pageId } from "./core/holds.js";
import { addressed } from "./core/protocol.js";
import { Drafts } from "./drafts/drafts.js";
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
import { showNoticeChoices } from "./ui/notice_choices.js";
import { PageView } from "./ui/view.js";

/** Seconds: the bounds of the first and of the last wait between two attempts. */
const RECONNECT = { base: 2, cap: 30 };

/**
 * @typedef {object} Config What the template tag hands over.
 * @property {string} socket
 * @property {string} state
 * @property {string} message
 * @property {string} page
 * @property {string} logout
 * @property {string} login
 * @property {string} signIn Where to sign in again without losing the page.
 * @property {string} home The start page.
 * @property {string} language Of the words.
 * @property {string} direction
 * @property {string} csrf
 * @property {string | null} drafts Where forms are kept until they are sent; null: nowhere.
 * @property {boolean} kept Something that this user sent was refused, and is kept.
 * @property {string} token Tells the session and its user from others.
 * @property {StateFrame} frame How the session stood when the page was made.
 * @property {Record<string, string>} strings
 */

/**
 * Put the parts together; nothing runs before `start`.
 * @param {Config} config
 * @param {DocumentFragment} markup
 */
function watch(config, markup) {
  const clock = new Clock();
  const unsaved = new UnsavedInput();
  const i18n = new I18n(config);
  const navigation = new NavigationObserver({ window, clock, onLeave: () => client.transport.leave() });

  const view = new PageView({
    window,
    clock,
    markup,
    i18n,
    unsaved,
    config,
    onStay: () => client.extend(),
    leaves: () => navigation.leaving,
  });
  const client = new Client({
    clock,
    view,
    events: new DocumentEvents(document),
    heartbeat: config.frame.heartbeat,
    frame: config.frame,
    page: pageId(),
    visible: () => document.visibilityState === "visible",
    onRenewal: () => pageOwner.ask(),
    transport: ({ interval, delegate }) => new Transport({ interval, delegate, websocket, polling }),
  });
  const hold = client.hold.bind(client);
  const input = new InputObserver({
    window,
    clock,
    onAct: (event) => {
      if (event.type === "input") unsaved.edited(event);
      client.acted();
    },
  });
  const forms = new FormObserver({ window, clock, unsaved, hold, label: i18n.text("form") });
  const drafts = new Drafts({
    window,
    clock,
    unsaved,
    i18n,
    server: config,
    fetch: window.fetch.bind(window),
    offer: (text, choices) => showNoticeChoices({ piece: view.word, topLayer: view.topLayer, text, choices }),
  });
  const media = new MediaObserver({ document, hold, label: i18n.text("media") });
  const signInChannel = new SignInChannel({
    open: () => ("BroadcastChannel" in window ? new BroadcastChannel("idlewatch") : null),
    onGreeting: (token) => {
      if (token !== config.token) pageOwner.ask();
    },
  });
  const pageOwner = new PageOwner({
    clock,
    backoff: new Backoff(RECONNECT),
    server: config,
    fetch: window.fetch.bind(window),
    delegate: {
      onRenewed: (csrf) => {
        view.refresh(csrf);
        client.renew();
      },
      onForeign: () => client.disown(),
    },
  });
  const page = new LifecycleObserver({
    window,
    navigation,
    delegate: {
      onWake: () => (client.session.ended ? pageOwner.ask() : client.wake()),
      onDoze: () => client.doze(),
      onPart: (code) => {
        forms.release();
        signInChannel.stop();
        client.part(code);
      },
      onComeBack: () => {
        signInChannel.start();
        if (!client.session.ended) {
          client.comeBack();
          return;
        }
        view.comeBack();
        pageOwner.ask();
      },
    },
  });

  /** @param {TabSocketDelegate} delegate */
  function websocket(delegate) {
    const open = () => new WebSocket(socketAddress(addressed(config.socket, config.token), window.location.href));
    return new TabSocket({ clock, delegate, open, backoff: new Backoff(RECONNECT) });
  }

  /** @param {PollingDelegate} delegate */
  function polling(delegate) {
    const backoff = new Backoff({ ...RECONNECT, cap: config.frame.heartbeat });
    return new Polling({ clock, delegate, backoff, server: config, fetch: window.fetch.bind(window) });
  }

  const start = () => {
    unsaved.find(document);
    for (const part of [navigation, page, input, forms, drafts, media, signInChannel, client]) part.start();
    signInChannel.greet(config.token);
    // The small window in which the user signed in again has done its work; the greeting leaves first.
    if (document.querySelector("[data-idlewatch-close]") !== null) clock.after(0.5, () => window.close());
  };
  return { client, start };
}

/**
 * Watch the page that the tag `{% idlewatch %}` has prepared. Doing so again, as a page may that has the client twice or
 * swaps its body, changes nothing.
 * @returns {IdleWatch | null} What is `window.idlewatch` from then on; null on the page of an anonymous user.
 */
export function start() {
  if (!Object.hasOwn(window, "idlewatch")) {
    const above = watchedAbove();
    if (above !== null) {
      Object.defineProperty(window, "idlewatch", { get: () => above.idlewatch });
      return window.idlewatch ?? null;
    }
    const carrier = document.getElementById("idlewatch-client");
    if (!(carrier instanceof HTMLTemplateElement)) return null;
    const markup = /** @type {DocumentFragment} */ (carrier.content.cloneNode(true));
    const watched = watch(JSON.parse(carrier.dataset.config ?? "{}"), markup);
    // The first event may come at once, and its listeners use this.
    Object.defineProperty(window, "idlewatch", { value: makeApi(watched.client) });
    watched.start();
  }
  return window.idlewatch ?? null;
}

/** The nearest page around this one that has the client and may be read: it hears, covers and restores its frames. */
function watchedAbove() {
  for (let view = window; view !== view.parent; ) {
    view = /** @type {any} */ (view.parent);
    try {
      if (Object.hasOwn(view, "idlewatch") || view.document.getElementById("idlewatch-client") !== null) return view;
    } catch {
      return null;
    }
  }
  return null;
}
