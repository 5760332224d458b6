/** Drafts, with the notice by which they offer what was kept. */

import { showNoticeChoices } from "../ui/notice_choices.js";
import { Drafts } from "./drafts.js";

/** @typedef {Omit<DraftOptions, "offer"> & {view: {noticeTemplate: HTMLElement, topLayer: TopLayer}}} DraftContext */

/** @param {DraftContext} context */
export function makeDrafts({ view: { noticeTemplate: template, topLayer }, ...options }) {
  return new Drafts({ ...options, offer: (text, choices) => showNoticeChoices({ template, topLayer, text, choices }) });
}
