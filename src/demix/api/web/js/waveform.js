// @ts-check
// One stem's waveform on a canvas, in the colour of the stem and at the resolution of the screen.
import { h } from "./dom.js";

const SOFT = 0.75; // exponent: quiet stems stay visible beside loud ones

/** @typedef {{length: number, bits: number, data: number[]}} Peaks */

export class Waveform {
  constructor() {
    this.canvas = h("canvas", { role: "img" });
    /** @type {Peaks | null} */
    this.peaks = null;
    this.scale = 1;
  }

  /** @param {Peaks | null} peaks @param {number} loudest 0 to 1, of all waveforms side by side: they share one scale @param {string} label */
  show(peaks, loudest, label) {
    this.peaks = peaks;
    this.scale = 1 / Math.max(loudest, 0.01);
    this.canvas.setAttribute("aria-label", label);
    this.draw();
  }

  draw() {
    const { canvas, peaks } = this;
    const { width, height } = canvas.getBoundingClientRect();
    const [w, tall] = [width, height].map((length) => Math.round(length * devicePixelRatio));
    if (!w || !tall) return;
    if (canvas.width !== w || canvas.height !== tall) [canvas.width, canvas.height] = [w, tall];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.clearRect(0, 0, w, tall);
    if (!peaks) return;
    context.fillStyle = getComputedStyle(canvas).color;
    const full = 2 ** (peaks.bits - 1);
    const tallness = (/** @type {number} */ value) => Math.max(thin, (Math.abs(value / full) * this.scale) ** SOFT * middle * 0.94);
    const middle = tall / 2;
    const thin = devicePixelRatio / 2;
    const columns = extremes(peaks, w);
    context.beginPath();
    context.moveTo(0, middle);
    for (let x = 0; x < w; x++) context.lineTo(x, middle - tallness(columns.high[x]));
    for (let x = w - 1; x >= 0; x--) context.lineTo(x, middle + tallness(columns.low[x]));
    context.fill();
  }
}

/** Lowest and highest value under each column of pixels. @param {Peaks} peaks @param {number} width */
function extremes({ length, data }, width) {
  const low = new Float32Array(width);
  const high = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * length) / width);
    const last = Math.max(first + 1, Math.floor(((x + 1) * length) / width));
    for (let i = first; i < last && i < length; i++) {
      low[x] = Math.min(low[x], data[2 * i]);
      high[x] = Math.max(high[x], data[2 * i + 1]);
    }
  }
  return { low, high };
}

/** The largest distance from zero, 0 to 1. @param {Peaks} peaks */
export function loudestOf({ data, bits }) {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(value));
  return most / 2 ** (bits - 1);
}
