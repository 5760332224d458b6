/** The live page as its template loads it: it starts by itself. */

import { socketAddress } from "../transport/socket.js";
import { LivePage } from "./page.js";

const root = document.getElementById("live-sessions");
if (root !== null) {
  const config = JSON.parse(root.dataset.config ?? "{}");
  const open = () => new WebSocket(socketAddress(config.socket, window.location.href));
  new LivePage({ root, window, config, open }).start();
}
