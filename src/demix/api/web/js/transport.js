// @ts-check
// The bar that stays in sight: play, time, which system is heard, where in the song.
import { fill, h, icon } from "./dom.js";
import { clock, spoken } from "./format.js";

const PLAY = "M7 4.5v15l13-7.5z";
const PAUSE = "M6 4.5h4.5v15H6zM13.500 4.500H18v15h-4.500z";

export class Transport {
  /**
   * @param {string[]} systems
   * @param {(system: string) => string} titleOf
   * @param {{toggle: () => void, hear: (system: string) => void, seek: (seconds: number) => void, step: (seconds: number) => void}} actions
   */
  constructor(systems, titleOf, actions) {
    this.duration = 0;
    this.play = h("button", { type: "button", class: "play", "data-testid": "play", "aria-label": "Play", onclick: actions.toggle }, icon(PLAY));
    this.clock = h("p", { class: "clock", "data-testid": "clock" }, "0:00.0");
    this.seek = h("input", { type: "range", min: "0", max: "1", step: "any", value: "0", "aria-label": "Position", "data-testid": "seek" });
    this.seek.addEventListener("input", () => actions.seek(Number(this.seek.value)));
    this.seek.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 }[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      actions.step(event.shiftKey ? step * 5 : step);
    });
    this.buttons = new Map(systems.map((system) => [system, h("button",
      { type: "button", "aria-pressed": "false", "data-testid": `system-${system}`, onclick: () => actions.hear(system) },
      h("span", {}, titleOf(system)), h("small", {}))]));
    this.element = h("div", { class: "bar" },
      this.play,
      h("div", { class: "systems", role: "group", "aria-label": "What is heard" }, ...this.buttons.values()),
      this.clock,
      this.seek);
  }

  /** @param {{position: number, duration: number, playing: boolean}} state */
  update({ position, duration, playing }) {
    if (this.duration !== duration) {
      this.duration = duration;
      this.seek.max = String(duration || 1);
    }
    if (this.playing !== playing) {
      this.playing = playing;
      fill(this.play, icon(playing ? PAUSE : PLAY));
      this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    }
    const time = `${clock(position)} / ${clock(duration)}`;
    if (this.clock.textContent !== time) this.clock.textContent = time;
    this.seek.value = String(position);
    const text = `${spoken(position)} of ${spoken(duration)}`;
    if (this.seek.getAttribute("aria-valuetext") !== text) this.seek.setAttribute("aria-valuetext", text);
  }

  /** @param {string} heard @param {Map<string, string>} notes what is still missing, by system */
  showSystems(heard, notes) {
    for (const [system, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(system === heard));
      button.querySelector("small").textContent = notes.get(system) ?? "";
    }
  }
}
