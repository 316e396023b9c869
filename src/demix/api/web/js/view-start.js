// @ts-check
// The start: drop a song, or take the example; choose the nets; see what was separated before.
import { getOnce } from "./api.js";
import { append, fill, h, icon } from "./dom.js";
import { megabytes } from "./format.js";
import { askForKey, storedKey } from "./key.js";
import { complain } from "./notices.js";
import { Progress } from "./progress.js";
import { remember } from "./recent.js";
import { recentList } from "./recent-list.js";
import { enter } from "./shell.js";
import { picture } from "./strands.js";
import { separate } from "./upload.js";

const NOTE = "M12 3v12.3a4 4 0 1 0 2 3.5V8h5V3z";

/** @param {HTMLElement} main @param {any} service @param {{signal: AbortSignal, focus: boolean}} options */
export async function startView(main, service, { signal, focus }) {
  const heading = h("h1", {}, "Hear two nets take a song apart");
  const work = h("div", { class: "work" });
  fill(main,
    h("div", { class: "hero" },
      h("div", {}, heading, h("p", { class: "lede" },
        "A U-Net and a Vision Transformer, trained on the same music in the same way, each cut your song into vocals, drums, bass and other. Switch between them while it plays.")),
      picture()),
    work);
  enter("Hear two nets take a song apart", heading, focus);
  if (!service) return;
  if (service.auth && !storedKey() && !(await askForKey(false))) {
    const again = () => startView(main, service, { signal, focus: true }).catch(complain);
    return fill(work, h("p", {}, "Without an API key this server separates nothing."), h("button", { type: "button", class: "primary", onclick: again }, "Enter the key"));
  }
  const [{ models }, { examples }] = await Promise.all([getOnce("/models"), getOnce("/examples")]);
  if (signal.aborted) return;
  const boxes = models.map((/** @type {any} */ model) => netBox(model));
  const chosen = () => boxes.filter((/** @type {any} */ box) => box.input.checked).map((/** @type {any} */ box) => box.name);
  const begin = (/** @type {{file?: File, example?: string, name: string}} */ wish) => {
    if (!chosen().length) return complain("Choose at least one net.");
    if (wish.file && wish.file.size > service.limits.upload_bytes) {
      return complain(`\u201c${wish.name}\u201d has ${megabytes(wish.file.size)}; this server takes up to ${megabytes(service.limits.upload_bytes)}.`);
    }
    if (wish.file && !wish.file.size) return complain(`\u201c${wish.name}\u201d is empty.`);
    send(work, form, { ...wish, models: chosen() }, signal);
  };
  const form = [
    h("div", { class: "ways" }, dropZone(service, begin, signal), examples.map((/** @type {any} */ example) => exampleCard(example, begin))),
    h("fieldset", { class: "nets" }, h("legend", {}, "Nets"),
      h("p", {}, "What each has learnt from is written below. Where that is minutes of music, expect stems that bleed into each other."),
      boxes.map((/** @type {any} */ box) => box.element)),
  ];
  append(work, form);
  append(main, [recentList(signal, service.auth)]);
}

/** @param {any} model */
function netBox({ name, title, parameters, description }) {
  const input = h("input", { type: "checkbox", id: `net-${name}`, "data-testid": `net-${name}`, "aria-describedby": `net-${name}-about` });
  input.checked = true;
  const element = h("div", { class: "net" }, input,
    h("label", { for: `net-${name}` }, h("b", {}, title), h("small", {}, `${parameters.toLocaleString("en")} parameters`)),
    h("p", { id: `net-${name}-about` }, description));
  return { name, input, element };
}

/** @param {any} service @param {(wish: {file: File, name: string}) => void} begin @param {AbortSignal} signal */
function dropZone({ limits }, begin, signal) {
  const input = h("input", { type: "file", id: "file", accept: "audio/*,video/*,.flac,.ogg,.opus,.m4a,.aiff,.wma", "data-testid": "file", class: "unseen", tabindex: "-1", "aria-hidden": "true" });
  const take = (/** @type {FileList | null | undefined} */ files) => {
    if (!files?.length) return;
    if (files.length > 1) complain(`One song at a time: \u201c${files[0].name}\u201d was taken, ${files.length - 1} more ${files.length === 2 ? "was" : "were"} not.`);
    begin({ file: files[0], name: files[0].name });
  };
  input.addEventListener("change", () => (take(input.files), (input.value = "")));
  const zone = h("section", { class: "card drop", "data-testid": "drop", "aria-labelledby": "drop-title" }, icon(NOTE),
    h("h2", { id: "drop-title" }, "Drop a song here"),
    h("p", {}, h("button", { type: "button", class: "primary", "data-testid": "choose", onclick: () => input.click() }, "Choose a file"), input),
    h("p", { class: "fine" }, `Up to ${megabytes(limits.upload_bytes)} and ${limits.song_minutes} minutes: mp3, wav, flac, m4a, ogg, films too.`));
  const over = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
  };
  document.addEventListener("dragover", over, { signal });
  document.addEventListener("dragleave", over, { signal });
  document.addEventListener("drop", (event) => {
    over(event);
    if (zone.isConnected) take(event.dataTransfer?.files);
  }, { signal });
  return zone;
}

/** @param {any} example @param {(wish: {example: string, name: string}) => void} begin */
function exampleCard({ id, title, artist, licence, seconds, note }, begin) {
  const sentence = /[.!?]$/.test(note) ? note : `${note}.`;
  return h("section", { class: "card example", "aria-labelledby": `example-${id}` },
    h("h2", { id: `example-${id}` }, "No song at hand?"),
    h("p", {}, `\u201c${title}\u201d by ${artist}, ${Math.round(seconds)} seconds, ${licence}: its true stems are known, so you can hear what each net missed.`),
    h("p", { class: "fine" }, sentence.charAt(0).toUpperCase() + sentence.slice(1)),
    h("p", {}, h("button", { type: "button", "data-testid": "example", onclick: () => begin({ example: id, name: title }) }, "Try the example")));
}

/** Send it and go to its view; on failure come back to the form. @param {HTMLElement} work @param {any[]} form @param {any} wish @param {AbortSignal} signal */
async function send(work, form, wish, signal) {
  const upload = new AbortController();
  signal.addEventListener("abort", () => upload.abort(), { once: true });
  const leaving = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", leaving);
  const progress = new Progress({ label: `Sending ${wish.name}`, cancel: "Cancel", onCancel: () => upload.abort() });
  const heading = h("h2", { tabindex: "-1" }, wish.file ? `Sending \u201c${wish.name}\u201d` : `\u201c${wish.name}\u201d`);
  fill(work, h("section", {}, heading, progress.element));
  heading.focus({ preventScroll: true });
  progress.show(0, wish.file ? `0 of ${megabytes(wish.file.size)}` : "The example is being prepared.");
  try {
    const job = await separate(wish, (sent, total) => progress.show(sent / total,
      !wish.file ? "The example is being prepared." : sent < total ? `${megabytes(sent)} of ${megabytes(total)}` : "Sent. The server looks into the file."), upload.signal);
    remember(job);
    if (!signal.aborted) location.hash = `#/s/${encodeURIComponent(job.id)}`;
  } catch (error) {
    if (signal.aborted) return;
    fill(work, form);
    complain(error);
    work.querySelector("button")?.focus();
  } finally {
    removeEventListener("beforeunload", leaving);
  }
}
