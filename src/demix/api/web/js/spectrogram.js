// @ts-check
// The mixture's spectrogram, once per system, with the masks of the system over it.
import { getJson, jobPath, systemPath } from "./api.js";
import { hertzAxis, timeAxis } from "./axes.js";
import { fill, h } from "./dom.js";
import { clock, listed, stemTitle } from "./format.js";
import { complain } from "./notices.js";
import { paint } from "./paint.js";
import { choice } from "./choice.js";
import { Tiles } from "./tiles.js";

/** @typedef {{seconds: number, tile_seconds: number, tiles: number, width: number, low_hz: number, high_hz: number}} Info */
/** @typedef {{canvas: HTMLCanvasElement, system: string, index: number, seen: boolean, painted: string}} Cell */

export class Spectrogram {
  /**
   * @param {import("./api.js").Separation} job
   * @param {(system: string) => string} titleOf
   * @param {{onSeek: (seconds: number) => void, signal: AbortSignal}} options
   */
  constructor(job, titleOf, { onSeek, signal }) {
    this.job = job;
    this.titleOf = titleOf;
    this.tiles = new Tiles(signal);
    this.overlay = "all";
    /** @type {Cell[]} */
    this.cells = [];
    this.seconds = 0;
    this.span = 0; // seconds in view, 0: all
    this.head = h("div", { class: "head" });
    this.times = h("div", { class: "times", "aria-hidden": "true" });
    this.inner = h("div", { class: "inner" });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Spectrograms; scroll sideways" }, this.inner);
    this.inner.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const { left, width } = this.inner.getBoundingClientRect();
      onSeek(((event.clientX - left) / width) * this.seconds);
    });
    this.body = h("div", { class: "spectra-body" }, h("p", { class: "wait" }, "Loading the spectrograms ..."));
    this.caption = h("figcaption", { id: "spectra-caption" });
    this.controls = h("div", { class: "controls" });
    this.element = h("figure", { class: "spectra", "data-testid": "spectrogram", "aria-labelledby": "spectra-caption" }, this.controls, this.body, this.caption);
    const resize = new ResizeObserver(() => this.#ticks());
    resize.observe(this.scroller);
    signal.addEventListener("abort", () => (resize.disconnect(), this.observer?.disconnect()), { once: true });
    this.#begin(signal).catch((error) => {
      if (signal.aborted) return;
      fill(this.body, h("p", { class: "wait" }, "The spectrograms could not be loaded."));
      complain(error);
    });
  }

  /** @param {AbortSignal} signal */
  async #begin(signal) {
    /** @type {Info} */
    this.info = await getJson(`${jobPath(this.job.id)}/spectrogram`, { signal });
    const info = /** @type {Info} */ (this.info);
    this.seconds = info.seconds;
    this.observer = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: "300px" });
    const rows = this.job.systems.map((system) => this.#row(system, info));
    fill(this.inner, rows, this.times, this.head);
    fill(this.body, h("div", { class: "axes" }, this.job.systems.map(() => hertzAxis(info))), this.scroller);
    const stems = this.job.stems.map((stem) => ({ value: stem, text: stemTitle(stem), stem }));
    const overlays = [{ value: "all", text: stems.length === 4 ? "All four" : "All" }, ...stems, { value: "none", text: "No mask" }];
    const windows = [0, 60, 20, 10].filter((span) => span < info.seconds);
    const zooms = windows.map((span) => ({ value: String(span), text: span ? `${span} s` : "Whole song" }));
    fill(this.controls,
      choice({ legend: "Show the mask of", name: "overlay", options: overlays, value: "all", onChange: (value) => this.#show(value) }),
      zooms.length > 1 && choice({ legend: "In view", name: "zoom", options: zooms, value: info.seconds > 150 ? "60" : "0", onChange: (value) => this.#zoom(Number(value)) }));
    this.#zoom(info.seconds > 150 ? 60 : 0);
    this.#show("all");
  }

  /** @param {string} system @param {Info} info */
  #row(system, info) {
    const row = h("div", { class: "panel" }, h("span", { class: "chip" }, this.titleOf(system)));
    for (let index = 0; index < info.tiles; index++) {
      const start = index * info.tile_seconds;
      const pixels = Math.ceil((info.width * Math.min(info.tile_seconds, info.seconds - start)) / info.tile_seconds);
      const width = ((pixels / info.width) * info.tile_seconds) / info.seconds;
      const canvas = h("canvas", { "aria-hidden": "true", style: { left: `${(100 * start) / info.seconds}%`, width: `${100 * width}%` } });
      row.append(canvas);
      this.cells.push({ canvas, system, index, seen: false, painted: "" });
      this.observer?.observe(canvas);
    }
    return row;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      const cell = this.cells.find(({ canvas }) => canvas === target);
      if (!cell) continue;
      cell.seen = isIntersecting;
      this.#paint(cell);
    }
  }

  /** @param {Cell} cell */
  async #paint(cell) {
    const { overlay } = this;
    if (!cell.seen || cell.painted === overlay) return;
    const stems = overlay === "all" ? this.job.stems : overlay === "none" ? [] : [overlay];
    try {
      const level = this.tiles.get(`${jobPath(this.job.id)}/spectrogram/${cell.index}`);
      const masks = stems.map(async (stem) => ({
        stem,
        tile: await this.tiles.get(`${systemPath(this.job.id, cell.system)}/masks/${encodeURIComponent(stem)}/${cell.index}`),
      }));
      const all = await Promise.all(masks);
      if (overlay !== this.overlay || cell.painted === overlay) return;
      paint(cell.canvas, await level, all);
      cell.painted = overlay;
    } catch (error) {
      complain(error);
    }
  }

  /** @param {string} overlay */
  #show(overlay) {
    this.overlay = overlay;
    for (const cell of this.cells) this.#paint(cell);
    const { seconds, low_hz, high_hz } = /** @type {Info} */ (this.info);
    const colours = overlay === "all"
      ? "Its colour says which stem the system gives it to; mixed colours are shared between stems, which is heard as bleed."
      : overlay === "none"
        ? "No mask is shown."
        : `In colour: what the system gives to ${stemTitle(overlay).toLowerCase()}; in grey: what it keeps from it.`;
    this.caption.textContent =
      `The mixture from 0:00 to ${clock(seconds, 0)} (across) and from ${low_hz} Hz to ${high_hz / 1000} kHz (up, logarithmic), ` +
      `${this.job.systems.length > 1 ? "once for each of" : "cut by"} ${listed(this.job.systems.map(this.titleOf))}. The brighter, the louder. ${colours} Click to go there.`;
  }

  /** @param {number} span */
  #zoom(span) {
    const middle = (this.scroller.scrollLeft + this.scroller.clientWidth / 2) / (this.inner.clientWidth || 1);
    this.span = span;
    this.inner.style.width = span ? `${(100 * this.seconds) / span}%` : "100%";
    this.#ticks();
    this.scroller.scrollLeft = middle * this.inner.clientWidth - this.scroller.clientWidth / 2;
  }

  #ticks() {
    if (this.info) timeAxis(this.times, this.seconds, this.span || this.seconds);
  }

  /** Move the playhead; turn the page when it leaves the window to the right. @param {number} position @param {boolean} playing */
  update(position, playing) {
    if (!this.seconds) return;
    const share = Math.min(1, position / this.seconds);
    this.head.style.transform = `translateX(${100 * share}%)`;
    if (!this.span) return; // all in view: nothing to scroll, no layout to ask for
    const { scrollLeft, clientWidth } = this.scroller;
    const x = share * this.inner.clientWidth;
    const inView = x >= scrollLeft && x <= scrollLeft + clientWidth;
    if (playing && this.wasInView && !inView) this.scroller.scrollLeft = x - 0.05 * clientWidth;
    this.wasInView = inView || (playing && this.wasInView);
  }
}
