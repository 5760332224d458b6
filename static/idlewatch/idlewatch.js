/** The page's client: reads what the server put into the page, and puts the parts together. */

import { DocumentEvents, makeApi } from "./api.js";
import { Backoff } from "./backoff.js";
import { Client } from "./client.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { FormWatcher } from "./forms.js";
import { pageId } from "./holds.js";
import { InputWatcher } from "./input.js";
import { LeavingWatcher } from "./leaving.js";
import { Link } from "./link.js";
import { MediaWatcher } from "./media.js";
import { PageWatcher } from "./page.js";
import { Polling } from "./polling.js";
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
 * @property {string} logout
 * @property {string} login
 * @property {string} csrf
 * @property {string} user Tells users apart without saying who they are.
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
  const words = new Words(config.strings, document.documentElement.lang);
  const leaving = new LeavingWatcher({ window, clock });

  const view = new PageView({
    window,
    clock,
    markup,
    words,
    unsaved,
    login: config.login,
    onStay: () => client.extend(),
    csrf: () => config.csrf,
    leaves: () => leaving.leaving,
  });
  const client = new Client({
    clock,
    view,
    events: new DocumentEvents(document),
    heartbeat: config.frame.heartbeat,
    frame: config.frame,
    page: pageId(),
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
  const media = new MediaWatcher({ document, hold, label: words.say("media") });
  const siblings = new Siblings({
    open: () => ("BroadcastChannel" in window ? new BroadcastChannel("idlewatch") : null),
    greeting: config,
    onGreeting: ({ user, csrf }) => {
      if (user !== config.user) return;
      config.csrf = csrf;
      if (!view.kept || !client.session.ended) return;
      view.restore(csrf);
      client.reunite();
    },
  });
  const page = new PageWatcher({
    window,
    leaving,
    delegate: {
      onWake: () => client.wake(),
      onDoze: () => client.doze(),
      onPart: (code) => {
        forms.release();
        siblings.stop();
        client.part(code);
      },
      onComeBack: () => {
        siblings.start();
        if (client.session.ended) view.comeBack();
        else client.comeBack();
      },
    },
  });

  /** @param {ConnectionDelegate} delegate */
  function connection(delegate) {
    const open = () => new WebSocket(socketAddress(config.socket));
    return new Connection({ clock, delegate, open, backoff: new Backoff(RECONNECT) });
  }

  /** @param {PollingDelegate} delegate */
  function polling(delegate) {
    const backoff = new Backoff({ ...RECONNECT, cap: config.frame.heartbeat });
    return new Polling({ clock, delegate, backoff, server: config, fetch: window.fetch.bind(window) });
  }

  const start = () => {
    unsaved.find(document);
    for (const part of [leaving, page, input, forms, media, siblings, client]) part.start();
    siblings.greet();
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

const script = document.getElementById("idlewatch-client");
const template = document.getElementById("idlewatch-templates");
// A page that includes the client twice, or swaps its body, is watched once.
if (script !== null && template instanceof HTMLTemplateElement && !Object.hasOwn(window, "idlewatch")) {
  const config = JSON.parse(script.dataset.config ?? "{}");
  const markup = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const { client, start } = watch(config, markup);
  // The first event may come at once, and its listeners use this.
  Object.defineProperty(window, "idlewatch", { value: makeApi(client) });
  start();
}
