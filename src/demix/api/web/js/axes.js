// @ts-check
// Axes of the spectrograms: hertz on a logarithmic scale, and time.
import { h } from "./dom.js";
import { clock } from "./format.js";

const HERTZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000];
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

/** @param {{low_hz: number, high_hz: number}} info */
export function hertzAxis({ low_hz, high_hz }) {
  const axis = h("div", { class: "hertz", "aria-hidden": "true" });
  for (const hertz of HERTZ.filter((value) => value > low_hz * 1.1 && value < high_hz / 1.1)) {
    const height = Math.log(hertz / low_hz) / Math.log(high_hz / low_hz);
    axis.append(h("span", { style: { bottom: `${100 * height}%` } }, hertz < 1000 ? hertz : `${hertz / 1000}k`));
  }
  return axis;
}

/** @param {HTMLElement} axis @param {number} seconds of the song @param {number} visible seconds in the window */
export function timeAxis(axis, seconds, visible) {
  const most = Math.max(3, axis.closest(".scroller")?.clientWidth ?? 600) / 64;
  const step = STEPS.find((value) => visible / value <= most) ?? 1200;
  const ticks = [];
  for (let time = 0; time <= seconds - step * 0.6 || time === 0; time += step) {
    ticks.push(h("span", { style: { left: `${(100 * time) / seconds}%` } }, clock(time, 0)));
  }
  axis.replaceChildren(...ticks);
}
