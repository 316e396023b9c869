// @ts-check
// From levels and masks to colours: brightness is the level of the mixture, colour says which stem it is given to.

/** The bright stem colours of app.css, for a dark ground. @type {Record<string, number[]>} */
const COLOURS = { vocals: [240, 82, 138], drums: [249, 177, 59], bass: [85, 144, 240], other: [107, 236, 207] };
const PLAIN = [232, 230, 224];
const REST = [88, 88, 96]; // what a stem is not given, where one stem is shown alone

/** Brightness by level: the lowest part, mostly noise, is left dark. */
const BRIGHTNESS = Float32Array.from({ length: 256 }, (_, level) => Math.max(0, (level / 255 - 0.18) / 0.82) ** 0.8);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./tiles.js").Tile} level
 * @param {{stem: string, tile: import("./tiles.js").Tile}[]} masks none: the mixture alone; one: this stem against the
 *   rest; more: every stem's colour by its share
 */
export function paint(canvas, level, masks) {
  const { width, height, grey } = level;
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  const pixels = image.data;
  const layers = masks.map(({ stem, tile }) => ({ colour: COLOURS[stem] ?? PLAIN, share: tile.grey }));
  const [red, green, blue] = layers.length === 1 ? REST : layers.length ? [0, 0, 0] : PLAIN;
  for (let i = 0; i < grey.length; i++) {
    const bright = BRIGHTNESS[grey[i]];
    let shared = 0;
    let [r, g, b] = [0, 0, 0];
    for (const { colour, share } of layers) {
      const part = share[i] / 255;
      shared += part;
      r += part * colour[0];
      g += part * colour[1];
      b += part * colour[2];
    }
    const rest = Math.max(0, 1 - shared);
    pixels[4 * i] = bright * (r + rest * red);
    pixels[4 * i + 1] = bright * (g + rest * green);
    pixels[4 * i + 2] = bright * (b + rest * blue);
    pixels[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
