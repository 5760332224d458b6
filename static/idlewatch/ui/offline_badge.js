/** The badge of a page that cannot reach the server. */

import { Timer } from "../core/clock.js";
import { Notice } from "./notice.js";

/** Seconds that a lost connection may take to come back unmentioned. */
const GRACE = 3;

/** Shown once the page has been offline for a while. */
export class OfflineBadge {
  #grace;

  /**
   * @param {HTMLElement} element
   * @param {TopLayer} topLayer
   * @param {Clock} clock
   */
  constructor(element, topLayer, clock) {
    this.notice = new Notice(element, topLayer);
    this.#grace = new Timer(clock, () => this.notice.show());
  }

  /** @param {boolean} offline */
  show(offline) {
    if (!offline) this.hide();
    else if (!this.#grace.running && !this.notice.element.isConnected) this.#grace.start(GRACE);
  }

  hide() {
    this.#grace.cancel();
    this.notice.hide();
  }
}
