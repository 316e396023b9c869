// @ts-check
// A strip of time above a waveform: playhead, loop, and what the pointer does there.
import { h } from "./dom.js";

/**
 * @typedef {{seek: (seconds: number) => void, loop: (a: number, b: number) => void, duration: () => number}} Actions
 */

export class Timeline {
  /** @param {HTMLCanvasElement} canvas @param {Actions} actions @param {string} testid */
  constructor(canvas, actions, testid) {
    this.actions = actions;
    this.region = h("div", { class: "region", hidden: true });
    this.head = h("div", { class: "head" });
    this.element = h("div", { class: "wave", "data-testid": testid }, this.region, canvas, this.head);
    this.element.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.#press(event));
  }

  /** @param {PointerEvent} event */
  #secondsAt(event) {
    const { left, width } = this.element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.actions.duration();
  }

  /** Click or drag to seek, drag with shift to loop. @param {PointerEvent} down */
  #press(down) {
    if (down.button !== 0 || !this.actions.duration()) return;
    const start = this.#secondsAt(down);
    const { element, actions } = this;
    const move = (/** @type {PointerEvent} */ event) => {
      const now = this.#secondsAt(event);
      if (down.shiftKey) this.showLoop({ start: Math.min(start, now), end: Math.max(start, now) }, true, actions.duration());
      else this.showHead(now / actions.duration());
    };
    const end = (/** @type {PointerEvent} */ event) => {
      for (const [name, listener] of Object.entries(listeners)) element.removeEventListener(name, listener);
      this.dragging = false;
      if (event.type === "pointercancel") return;
      const now = this.#secondsAt(event);
      if (down.shiftKey && Math.abs(now - start) > 0.05) actions.loop(start, now);
      else actions.seek(now);
    };
    /** @type {Record<string, any>} */
    const listeners = { pointermove: move, pointerup: end, pointercancel: end };
    for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
    element.setPointerCapture(down.pointerId);
    this.dragging = true;
    move(down);
  }

  /** @param {number} share of the song, 0 to 1 */
  showHead(share) {
    this.head.style.transform = `translateX(${100 * share}%)`;
  }

  /** @param {{start: number, end: number} | null} loop @param {boolean} on @param {number} duration */
  showLoop(loop, on, duration) {
    this.region.hidden = !loop || !duration;
    this.region.classList.toggle("off", !on);
    if (!loop || !duration) return;
    this.region.style.left = `${(100 * loop.start) / duration}%`;
    this.region.style.width = `${(100 * (loop.end - loop.start)) / duration}%`;
  }
}
