// @ts-check
// The stems as files: which system, which format, one by one or all in a zip.
import { call, jobPath, BASE, stemPath } from "./api.js";
import { choice } from "./choice.js";
import { fill, h } from "./dom.js";
import { stemTitle } from "./format.js";
import { storedKey } from "./key.js";
import { complain } from "./notices.js";

const FORMATS = [["wav", "WAV"], ["flac", "FLAC"], ["mp3", "MP3"]].map(([value, text]) => ({ value, text }));

/**
 * @param {import("./api.js").Separation} job
 * @param {(system: string) => string} titleOf
 * @param {string} system the one chosen at first
 */
export function downloads(job, titleOf, system) {
  const chosen = { system, format: job.format };
  const list = h("ul", { class: "files" });
  const waiting = h("p", { class: "fine" });
  const draw = () => {
    const { format } = chosen;
    waiting.textContent = `${format.toUpperCase()} is made when you ask for it: the download begins when the server has converted the stems.`;
    waiting.hidden = format === job.format;
    const link = (/** @type {string} */ path, /** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ id, /** @type {string} */ stem = "") =>
      h("li", { "data-stem": stem || null }, h("a", { class: "file", href: BASE + path, download: name, "data-testid": id, onclick: (/** @type {Event} */ event) => fetched(event, path, name) },
        stem && h("i", { class: "swatch" }), text));
    const title = job.title.replace(/\.[a-z0-9]{2,4}$/i, "");
    const zip = (/** @type {string} */ query) => `${jobPath(job.id)}/zip?${query}format=${format}`;
    fill(list,
      job.stems.map((stem) => link(`${stemPath(job.id, chosen.system, stem)}?format=${format}&download=1`,
        `${title} - ${stem} (${titleOf(chosen.system)}).${format}`, stemTitle(stem), `download-${stem}`, stem)),
      link(zip(`system=${encodeURIComponent(chosen.system)}&`), `${title} (${titleOf(chosen.system)}).zip`, `All ${job.stems.length} as zip`, "download-zip"),
      job.models.length > 1 && link(zip(""), `${title}.zip`, "All nets as zip", "download-zip-all"));
  };
  draw();
  return h("div", { class: "downloads" },
    h("div", { class: "controls" },
      job.systems.length > 1 && choice({ legend: "Cut by", name: "download-system", value: system,
        options: job.systems.map((name) => ({ value: name, text: titleOf(name) })), onChange: (value) => ((chosen.system = value), draw()) }),
      choice({ legend: "Format", name: "download-format", value: job.format, options: FORMATS, onChange: (value) => ((chosen.format = value), draw()) })),
    list, waiting);
}

/** A link cannot send the API key: with one, fetch the file and hand it over. @param {Event} event @param {string} path @param {string} name */
async function fetched(event, path, name) {
  if (!storedKey()) return;
  event.preventDefault();
  try {
    const url = URL.createObjectURL(await (await call(path)).blob());
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    complain(error);
  }
}
