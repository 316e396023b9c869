// @ts-check
// Tiles of spectrograms and masks: 8-bit grey pictures as plain bytes, fetched a few at a time.
import { call } from "./api.js";

const AT_ONCE = 4;
const KEPT = 400; // tiles of about 100 kB

/** @typedef {{width: number, height: number, grey: Uint8Array}} Tile */

export class Tiles {
  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.signal = signal;
    /** @type {Map<string, Promise<Tile>>} */
    this.kept = new Map();
    this.running = 0;
    /** @type {(() => void)[]} */
    this.waiting = [];
  }

  /** @param {string} path @returns {Promise<Tile>} */
  get(path) {
    let tile = this.kept.get(path);
    if (!tile) {
      tile = this.#fetch(path);
      tile.catch(() => this.kept.delete(path));
      this.kept.set(path, tile);
      for (const old of this.kept.keys()) if (this.kept.size > KEPT) this.kept.delete(old);
    }
    return tile;
  }

  /** @param {string} path */
  async #fetch(path) {
    if (this.running >= AT_ONCE) await new Promise((resolve) => this.waiting.push(() => resolve(null)));
    this.running += 1;
    try {
      return await greyOf(await (await call(path, { signal: this.signal })).blob());
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }
}

/** @param {Blob} blob @returns {Promise<Tile>} */
async function greyOf(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i];
  return { width, height, grey };
}
