// @ts-check
// One stem: its name and scores, mute, solo, volume, waveform.
import { fill, h } from "./dom.js";
import { decibels, stemTitle } from "./format.js";
import { Timeline } from "./timeline.js";
import { Waveform } from "./waveform.js";

export class StemRow {
  /**
   * @param {string} stem
   * @param {number} number its key, from 1
   * @param {import("./mixer.js").Mixer} mixer
   * @param {import("./timeline.js").Actions} actions
   * @param {() => void} onChange
   */
  constructor(stem, number, mixer, actions, onChange) {
    this.stem = stem;
    this.mixer = mixer;
    const title = stemTitle(stem);
    const act = (/** @type {() => void} */ action) => () => (action(), onChange());
    this.mute = h("button", { type: "button", "aria-pressed": "false", "aria-label": `Mute ${title}`, title: `Mute (${number})`, "data-testid": `mute-${stem}`, onclick: act(() => mixer.toggleMute(stem)) }, "Mute");
    this.solo = h("button", { type: "button", "aria-pressed": "false", "aria-label": `Solo ${title}`, title: `Solo (shift ${number})`, "data-testid": `solo-${stem}`, onclick: act(() => mixer.toggleSolo(stem)) }, "Solo");
    this.volume = h("input", { type: "range", min: "0", max: "100", value: "100", "aria-label": `Volume of ${title}`, "aria-valuetext": "100 %", "data-testid": `volume-${stem}` });
    this.volume.addEventListener("input", () => {
      this.volume.setAttribute("aria-valuetext", `${this.volume.value} %`);
      mixer.setVolume(stem, Number(this.volume.value) / 100);
    });
    this.scores = h("p", { class: "scores" });
    this.waveform = new Waveform();
    this.timeline = new Timeline(this.waveform.canvas, actions, `wave-${stem}`);
    const name = h("div", { class: "name" }, h("h2", { class: "h3" }, h("i", { class: "swatch" }), title), this.scores);
    this.element = h("li", { class: "stem", "data-stem": stem }, name, h("div", { class: "keys" }, this.mute, this.solo, this.volume), this.timeline.element);
  }

  /** Scores of all systems that have one, that of the system heard in bold. @param {Record<string, Record<string, number>> | null} scores @param {(system: string) => string} titleOf @param {string} system */
  #showScores(scores, titleOf, system) {
    if (!scores) return;
    const parts = Object.entries(scores).map(([name, values]) =>
      h(name === system ? "strong" : "span", {}, `${titleOf(name)}\u00a0${decibels(values[this.stem])}`));
    fill(this.scores, h("code", {}, "sdr"), " ", parts.flatMap((part, index) => (index ? [" · ", part] : [part])), "\u00a0dB");
  }

  /** @param {Record<string, Record<string, number>> | null} scores @param {(system: string) => string} titleOf @param {string} system */
  update(scores, titleOf, system) {
    this.#showScores(scores, titleOf, system);
    const { stem, mixer } = this;
    this.mute.setAttribute("aria-pressed", String(mixer.muted.has(stem)));
    this.solo.setAttribute("aria-pressed", String(mixer.solo.has(stem)));
    this.element.classList.toggle("silent", !mixer.isHeard(stem));
  }
}
