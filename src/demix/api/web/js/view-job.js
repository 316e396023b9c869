// @ts-check
// One separation: how it is getting on, and when it is done, the player.
import { ApiError, call, getJson, jobPath, systemTitles } from "./api.js";
import { confirmed } from "./confirm.js";
import { downloads } from "./downloads.js";
import { append, fill, h } from "./dom.js";
import { about, clock, listed, until } from "./format.js";
import { follow } from "./events.js";
import { complain, say } from "./notices.js";
import { Player } from "./player.js";
import { Progress } from "./progress.js";
import { forget, note } from "./recent.js";
import { enter } from "./shell.js";
import { Spectrogram } from "./spectrogram.js";

/** @typedef {import("./api.js").Separation} Separation */

/** @param {HTMLElement} main @param {string} id @param {{signal: AbortSignal, focus: boolean}} options */
export async function jobView(main, id, { signal, focus }) {
  fill(main, h("p", { class: "wait" }, "Loading ..."));
  let job;
  try {
    job = /** @type {Separation} */ (await getJson(jobPath(id), { signal }));
  } catch (error) {
    if (signal.aborted) return;
    const gone = error instanceof ApiError && error.status === 404;
    if (gone) forget(id);
    else complain(error);
    return ended(main, gone ? "There is no such separation" : "The separation cannot be shown",
      gone ? "It has been deleted or has expired, or the link is not complete." : String(/** @type {Error} */ (error).message), focus);
  }
  const titleOf = await systemTitles();
  if (signal.aborted) return;
  note(job);
  if (job.status === "queued" || job.status === "running") await watch(main, job, titleOf, { signal, focus });
  else show(main, job, titleOf, { signal, focus });
}

/** @param {HTMLElement} main @param {Separation} job @param {(system: string) => string} titleOf @param {{signal: AbortSignal, focus: boolean}} options */
function show(main, job, titleOf, options) {
  if (job.status === "done") return showPlayer(main, job, titleOf, options);
  const text = job.status === "cancelled" ? "It was cancelled. Nothing of it is kept." : job.error ?? "It failed, and the server did not say why.";
  if (job.status === "failed") complain(text);
  ended(main, job.title, text, options.focus, h("button", { type: "button", "data-testid": "delete", onclick: () => remove(job) }, "Remove from the list"));
}

/** @param {HTMLElement} main @param {string} title @param {string} text @param {boolean} focus @param {...any} more */
function ended(main, title, text, focus, ...more) {
  const heading = h("h1", {}, title);
  fill(main, heading, h("p", { class: "lede" }, text), h("div", { class: "actions" }, h("a", { class: "button primary", href: "#/" }, "Separate a song"), ...more));
  enter(title, heading, focus);
}

/** @param {HTMLElement} main @param {Separation} job @param {(system: string) => string} titleOf @param {{signal: AbortSignal, focus: boolean}} options */
async function watch(main, job, titleOf, { signal, focus }) {
  const heading = h("h1", {}, job.title);
  const cancel = async () => {
    try {
      finish(await (await call(`${jobPath(job.id)}/cancel`, { method: "POST" })).json());
    } catch (error) {
      complain(error); // 409: it was faster; the stream says so too
    }
  };
  const progress = new Progress({ label: `Separating ${job.title}`, cancel: "Cancel", onCancel: cancel });
  fill(main, h("p", { class: "eyebrow" }, `Cut by ${listed(job.models.map(titleOf))}`), heading, progress.element,
    h("p", { class: "fine" }, "You can close this page: the work goes on, and the song waits in your list."));
  enter(job.title, heading, focus);
  let over = false;
  const finish = (/** @type {Separation} */ finished) => {
    if (over || signal.aborted) return;
    over = true;
    say(finished.status === "done" ? `${finished.title} is ready.` : `${finished.title}: ${finished.status}.`, true);
    show(main, finished, titleOf, { signal, focus: true });
  };
  const waiting = (/** @type {number | null} */ position) => progress.show(0, position && position > 1 ? `Waiting: number ${position} in the queue.` : "Waiting: it is next.");
  const working = (/** @type {any} */ { progress: share, model, remaining_seconds: rest }) => progress.show(share, [
    `${Math.round(100 * share)} %`, model && `${titleOf(model)} is at work`, rest !== null && rest !== undefined && `${about(rest)} left`].filter(Boolean).join(", ") + ".");
  const onStatus = (/** @type {Separation} */ now) => {
    if (now.status === "queued") waiting(now.position);
    else if (now.status === "running") working(now);
    else finish(now);
  };
  onStatus(job);
  await follow(job.id, {
    onStatus,
    onProgress: (event) => over || (event.position ? waiting(event.position) : working(event)),
    onGone: () => over || (forget(job.id), ended(main, job.title, "It has been deleted.", true)),
    onTrouble: (sentence) => progress.showTrouble(sentence),
  }, signal);
}

/** @param {HTMLElement} main @param {Separation} job @param {(system: string) => string} titleOf @param {{signal: AbortSignal, focus: boolean}} options */
function showPlayer(main, job, titleOf, { signal, focus }) {
  const heading = h("h1", {}, job.title);
  const facts = [
    job.example && "Example",
    job.seconds && clock(job.seconds, 0),
    job.sample_rate && `${job.sample_rate / 1000} kHz`,
    job.channels && ({ 1: "mono", 2: "stereo" }[job.channels] ?? `${job.channels} channels`),
    job.expires_at && `kept ${until(job.expires_at)}`,
  ].filter(Boolean).join(" · ");
  const player = new Player(job, titleOf, signal);
  const spectra = new Spectrogram(job, titleOf, { onSeek: (seconds) => player.engine.seek(seconds), signal });
  player.followers.push((position, playing) => spectra.update(position, playing));
  const section = (/** @type {string} */ title, /** @type {any[]} */ ...children) => h("section", {}, h("h2", {}, title), ...children);
  append(player.element, [
    job.scores && h("p", { class: "fine" }, h("code", {}, "sdr"), ": energy of the true stem over energy of the error, of this excerpt, in dB; higher is better, 0\u00a0dB is what silence scores."),
    section(job.systems.length > 1 ? "What each one takes" : "What it takes", spectra.element),
  ]);
  fill(main, h("p", { class: "eyebrow" }, facts), heading, job.notes.map((text) => h("p", { class: "fine" }, text)),
    player.element,
    section("Downloads", downloads(job, titleOf, job.systems[0])),
    h("section", { class: "actions" }, h("a", { class: "button", href: "#/" }, "Another song"),
      h("button", { type: "button", class: "danger", "data-testid": "delete", onclick: () => remove(job) }, "Delete this separation")));
  enter(job.title, heading, focus);
}

/** @param {Separation} job */
async function remove(job) {
  if (job.status === "done" && !(await confirmed({ title: "Delete this separation?", text: `The stems of \u201c${job.title}\u201d are deleted on the server. Files that you have downloaded stay.`, yes: "Delete" }))) return;
  try {
    await call(jobPath(job.id), { method: "DELETE" });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) return complain(error);
  }
  forget(job.id);
  location.hash = "#/";
  say(`${job.title} is deleted.`, true);
}
