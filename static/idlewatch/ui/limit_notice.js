/** The warning before the absolute timeout, which cannot be extended. */

import { Announcer } from "./announcer.js";
import { countdown } from "./i18n.js";
import { Notice } from "./notice.js";

/** Counts down beside the content. */
export class LimitNotice {
  #shown = false;
  #announcer;

  /**
   * @param {HTMLElement} element
   * @param {TopLayer} topLayer
   * @param {I18n} i18n
   */
  constructor(element, topLayer, i18n) {
    this.element = element;
    this.notice = new Notice(element, topLayer);
    this.#announcer = new Announcer((seconds) => {
      this.notice.show({ announcement: i18n.text("left", { time: i18n.duration(seconds) }) });
    });
  }

  /** @param {number} remaining Seconds. */
  show(remaining) {
    if (!this.#shown) {
      this.#shown = true;
      this.#announcer.begin(remaining);
      this.notice.show({ announcement: "" });
    }
    this.notice.show({ countdown: countdown(remaining) });
    this.#announcer.tick(remaining);
  }

  hide() {
    this.#shown = false;
    this.notice.hide();
  }
}
