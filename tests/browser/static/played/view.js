/** The view without the client, whose part the test plays. */

import { Clock } from "../idlewatch/core/clock.js";
import { UnsavedInput } from "../idlewatch/observers/unsaved.js";
import { I18n } from "../idlewatch/ui/i18n.js";
import { PageView } from "../idlewatch/ui/view.js";

const shadow = document.getElementById("shadow").attachShadow({ mode: "open" });
shadow.append(Object.assign(document.createElement("input"), { type: "hidden", name: "csrfmiddlewaretoken", value: "old" }));

const carrier = document.getElementById("idlewatch-client");
const config = JSON.parse(carrier.dataset.config);
const unsaved = new UnsavedInput(document);
addEventListener("input", (event) => unsaved.record(event));

window.ended = { ...config.frame, phase: "ended", reason: "idle", remaining: 0, login_url: "/accounts/login/" };
window.view = new PageView({
  clock: new Clock(),
  markup: carrier.content.cloneNode(true),
  i18n: new I18n(config),
  unsaved,
  config,
  onStay: () => {},
  isLeaving: () => false,
});
