// @ts-check
// The second row: loop with its two ends, master volume, help.
import { h } from "./dom.js";
import { clock } from "./format.js";

export class LoopTools {
  /**
   * @param {{position: () => number, duration: () => number, apply: (loop: {start: number, end: number} | null) => void,
   *   show: (region: {start: number, end: number} | null, on: boolean) => void,
   *   master: (place: number) => void, help: () => void}} actions
   */
  constructor(actions) {
    this.actions = actions;
    this.on = false;
    /** @type {{start: number, end: number} | null} */
    this.region = null;
    const button = (/** @type {string} */ text, /** @type {string} */ id, /** @type {() => void} */ onclick, /** @type {any} */ more = {}) =>
      h("button", { type: "button", "data-testid": id, onclick, ...more }, text);
    this.toggleButton = button("Loop", "loop", () => this.toggle(), { "aria-pressed": "false", title: "Loop (L)" });
    this.clearButton = button("Clear", "loop-clear", () => this.set(null, false), { "aria-label": "Clear the loop", hidden: true });
    this.text = h("p", { class: "loop-text", "data-testid": "loop-text" });
    this.volume = h("input", { type: "range", id: "master", min: "0", max: "100", value: "100", "aria-valuetext": "100 %", "data-testid": "master" });
    this.volume.addEventListener("input", () => {
      this.volume.setAttribute("aria-valuetext", `${this.volume.value} %`);
      actions.master(Number(this.volume.value) / 100);
    });
    this.element = h("div", { class: "tools" },
      h("div", { class: "loop", role: "group", "aria-label": "Loop" },
        this.toggleButton,
        button("A: from here", "loop-a", () => this.setStart(), { title: "The loop begins here (A)" }),
        button("B: to here", "loop-b", () => this.setEnd(), { title: "The loop ends here (B)" }),
        this.clearButton, this.text),
      h("div", { class: "master" }, h("label", { for: "master" }, "Volume"), this.volume),
      button("Keyboard", "help", actions.help, { title: "Keys (?)", "aria-haspopup": "dialog" }));
    this.#show();
  }

  toggle() {
    this.set(this.region, !this.on);
  }

  setStart() {
    const start = this.actions.position();
    const end = this.region && this.region.end > start + 0.05 ? this.region.end : this.actions.duration();
    this.set({ start, end }, this.on);
  }

  setEnd() {
    const end = this.actions.position();
    const start = this.region && this.region.start < end - 0.05 ? this.region.start : 0;
    this.set({ start, end }, true);
  }

  /** @param {{start: number, end: number} | null} region null: the whole song @param {boolean} on */
  set(region, on) {
    this.region = region;
    this.on = on;
    const all = { start: 0, end: this.actions.duration() };
    this.actions.apply(on ? region ?? all : null);
    this.#show();
  }

  #show() {
    this.toggleButton.setAttribute("aria-pressed", String(this.on));
    this.clearButton.hidden = !this.region;
    this.text.textContent = this.region ? `${clock(this.region.start)} to ${clock(this.region.end)}` : this.on ? "the whole song" : "";
    this.actions.show(this.region, this.on);
  }
}
