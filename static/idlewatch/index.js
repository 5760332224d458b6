/** The page's client: reads what the server put into the page, and puts the parts together. Importing it starts nothing. */

import { DocumentEvents, makeApi } from "./api.js";
import { Backoff } from "./backoff.js";
import { Client } from "./client.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { Drafts } from "./drafts.js";
import { FormWatcher } from "./forms.js";
import { pageId } from "./holds.js";
import { InputWatcher } from "./input.js";
import { LeavingWatcher } from "./leaving.js";
import { Link } from "./link.js";
import { MediaWatcher } from "./media.js";
import { offer } from "./offer.js";
import { Owner } from "./owner.js";
import { PageWatcher } from "./page.js";
import { Polling } from "./polling.js";
import { addressed } from "./protocol.js";
import { Siblings } from "./siblings.js";
import { UnsavedInput } from "./unsaved.js";
import { PageView } from "./view.js";
import { Words } from "./words.js";

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
  const words = new Words(config.strings, config.language);
  const leaving = new LeavingWatcher({ window, clock, onLeave: () => client.link.leave() });

  const view = new PageView({
    window,
    clock,
    markup,
    words,
    unsaved,
    config,
    onStay: () => client.extend(),
    leaves: () => leaving.leaving,
  });
  const client = new Client({
    clock,
    view,
    events: new DocumentEvents(document),
    heartbeat: config.frame.heartbeat,
    frame: config.frame,
    page: pageId(),
    visible: () => document.visibilityState === "visible",
    onRenewal: () => owner.ask(),
    link: ({ interval, delegate }) => new Link({ interval, delegate, connection, polling }),
  });
  const hold = client.hold.bind(client);
  const input = new InputWatcher({
    window,
    clock,
    onAct: (event) => {
      if (event.type === "input") unsaved.edited(event);
      client.acted();
    },
  });
  const forms = new FormWatcher({ window, clock, unsaved, hold, label: words.say("form") });
  const drafts = new Drafts({
    window,
    clock,
    unsaved,
    words,
    server: config,
    fetch: window.fetch.bind(window),
    offer: (text, choices) => offer({ piece: view.word, stage: view.stage, text, choices }),
  });
  const media = new MediaWatcher({ document, hold, label: words.say("media") });
  const siblings = new Siblings({
    open: () => ("BroadcastChannel" in window ? new BroadcastChannel("idlewatch") : null),
    onGreeting: (token) => {
      if (token !== config.token) owner.ask();
    },
  });
  const owner = new Owner({
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
  const page = new PageWatcher({
    window,
    leaving,
    delegate: {
      onWake: () => (client.session.ended ? owner.ask() : client.wake()),
      onDoze: () => client.doze(),
      onPart: (code) => {
        forms.release();
        siblings.stop();
        client.part(code);
      },
      onComeBack: () => {
        siblings.start();
        if (!client.session.ended) {
          client.comeBack();
          return;
        }
        view.comeBack();
        owner.ask();
      },
    },
  });

  /** @param {ConnectionDelegate} delegate */
  function connection(delegate) {
    const open = () => new WebSocket(socketAddress(addressed(config.socket, config.token)));
    return new Connection({ clock, delegate, open, backoff: new Backoff(RECONNECT) });
  }

  /** @param {PollingDelegate} delegate */
  function polling(delegate) {
    const backoff = new Backoff({ ...RECONNECT, cap: config.frame.heartbeat });
    return new Polling({ clock, delegate, backoff, server: config, fetch: window.fetch.bind(window) });
  }

  const start = () => {
    unsaved.find(document);
    for (const part of [leaving, page, input, forms, drafts, media, siblings, client]) part.start();
    siblings.greet(config.token);
    // The small window in which the user signed in again has done its work; the greeting leaves first.
    if (document.querySelector("[data-idlewatch-close]") !== null) clock.after(0.5, () => window.close());
  };
  return { client, start };
}

/**
 * Older browsers take absolute addresses alone.
 * @param {string} path
 */
function socketAddress(path) {
  const address = new URL(path, window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
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
