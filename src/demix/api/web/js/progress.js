// @ts-check
// Work under way: a picture that fills, a sentence, a button to stop it.
import { h } from "./dom.js";
import { say } from "./notices.js";
import { progressPicture } from "./strands.js";

export class Progress {
  /** @param {{label: string, cancel: string, onCancel: () => void}} properties */
  constructor({ label, cancel, onCancel }) {
    this.picture = progressPicture();
    this.bar = h("div", { role: "progressbar", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100", "data-testid": "progress" }, this.picture.element);
    this.text = h("p", { class: "progress-text", "data-testid": "progress-text" });
    this.trouble = h("p", { class: "fine", hidden: true });
    this.cancel = h("button", { type: "button", "data-testid": "cancel", onclick: onCancel }, cancel);
    this.element = h("div", { class: "card progress" }, this.bar, this.text, this.trouble, h("div", { class: "actions" }, this.cancel));
  }

  /** @param {number | null} share 0 to 1; null: nobody knows @param {string} text */
  show(share, text) {
    this.picture.show(share ?? 0);
    if (share === null) this.bar.removeAttribute("aria-valuenow");
    else this.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.bar.setAttribute("aria-valuetext", text);
    this.text.textContent = text;
    say(text);
  }

  /** @param {string | null} sentence */
  showTrouble(sentence) {
    this.trouble.hidden = sentence === null;
    this.trouble.textContent = sentence ?? "";
  }
}
