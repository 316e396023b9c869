// @ts-check
// What must be seen: errors and warnings at the top of the page. What should be heard: one polite line.
import { byId, h } from "./dom.js";

/**
 * Show a sentence until it is closed or the view changes.
 * @param {unknown} problem an Error or a sentence
 */
export function complain(problem) {
  if (problem instanceof DOMException && problem.name === "AbortError") return;
  const sentence = problem instanceof Error ? problem.message : String(problem);
  const region = byId("notices");
  if ([...region.children].some((notice) => notice.firstChild?.textContent === sentence)) return;
  const notice = h("div", { class: "notice" }, h("p", {}, sentence));
  notice.append(h("button", { type: "button", class: "plain", onclick: () => notice.remove() }, "Close"));
  region.append(notice);
}

export const clearNotices = () => byId("notices").replaceChildren();

let spokenAt = 0;
/** @type {number | undefined} */
let waiting;

/**
 * Say something to a screen reader, at most every four seconds unless it is urgent.
 * @param {string} sentence
 * @param {boolean} [urgent]
 */
export function say(sentence, urgent = false) {
  clearTimeout(waiting);
  const wait = urgent ? 0 : Math.max(0, spokenAt + 4000 - Date.now());
  waiting = setTimeout(() => {
    spokenAt = Date.now();
    byId("status").textContent = sentence;
  }, wait);
}
