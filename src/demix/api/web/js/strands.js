// @ts-check
// The picture of the project: a wave on the left, the four waves that it is the sum of on the right.

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, SPLIT] = [640, 190, 250];
const BEAT = 58;

/** What each strand does, by x: a phrase, beats, a slow swing, a shimmer. @type {Record<string, (x: number) => number>} */
const WAVES = {
  vocals: (x) => 12 * Math.sin(x / 10) * (0.55 + 0.45 * Math.sin(x / 47)),
  drums: (x) => 24 * Math.exp(-(x % BEAT) / 11) * Math.sin(-(x % BEAT) / 2.7),
  bass: (x) => 15 * Math.sin(x / 25),
  other: (x) => 7 * Math.sin(x / 5.5) * Math.sin(x / 80 + 1),
};
const smooth = (/** @type {number} */ t) => (t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t));

/** @param {string} name @param {Record<string, string | number>} attributes @param {...Element} children */
function svg(name, attributes, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {(x: number) => number} y @param {number} from @param {number} to */
function line(y, from, to) {
  const points = [];
  for (let x = from; x <= to; x += 1.5) points.push(`${x} ${y(x).toFixed(1)}`);
  return `M${points.join("L")}`;
}

function lines() {
  const middle = HEIGHT / 2;
  const mixture = (/** @type {number} */ x) => Object.values(WAVES).reduce((sum, wave) => sum + wave(x), 0) * smooth((x + 10) / 50) * smooth((SPLIT + 20 - x) / 60);
  const strands = Object.entries(WAVES).map(([stem, wave], index) => {
    const lane = 28 + index * 46;
    const y = (/** @type {number} */ x) => {
      const apart = smooth((x - SPLIT) / 110);
      const own = wave(x) * smooth((x - SPLIT - 20) / 60);
      return middle + (lane - middle) * apart + own + mixture(x);
    };
    return svg("path", { d: line(y, SPLIT - 10, WIDTH - 4), class: `strand ${stem}` });
  });
  return svg("g", {}, ...strands, svg("path", { d: line((x) => middle + mixture(x), 4, SPLIT + 4), class: "strand whole" }));
}

/** The picture alone, as decoration. @returns {SVGElement} */
export function picture() {
  return /** @type {SVGElement} */ (svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", class: "strands" }, lines()));
}

/** The picture as a progress bar: coloured as far as the work has come. */
export function progressPicture() {
  const window = svg("rect", { x: 0, y: 0, width: 0, height: HEIGHT });
  const shade = lines();
  shade.setAttribute("class", "shade");
  const coloured = lines();
  coloured.setAttribute("clip-path", "url(#progress-clip)");
  const element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", class: "strands" },
    svg("clipPath", { id: "progress-clip" }, window), shade, coloured);
  return { element, show: (/** @type {number} */ share) => window.setAttribute("width", String(share * WIDTH)) };
}
