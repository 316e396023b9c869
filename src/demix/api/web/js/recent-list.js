// @ts-check
// The list of separations made in this browser, with what has become of them.
import { ApiError, call, getJson, jobPath } from "./api.js";
import { confirmed } from "./confirm.js";
import { fill, h } from "./dom.js";
import { clock, until } from "./format.js";
import { complain, say } from "./notices.js";
import { forget, note, recent } from "./recent.js";

/** @typedef {import("./api.js").Separation} Separation */

/** @param {Separation} job */
function stateOf(job) {
  if (job.status === "done") return [job.seconds && clock(job.seconds, 0), job.expires_at && `kept ${until(job.expires_at)}`].filter(Boolean).join(" · ");
  if (job.status === "running") return `at work, ${Math.round(100 * job.progress)} %`;
  if (job.status === "queued") return job.position && job.position > 1 ? `waiting, number ${job.position}` : "waiting";
  return job.status === "failed" ? `failed: ${job.error}` : job.status;
}

/** @param {AbortSignal} signal @param {boolean} withKey @returns {HTMLElement} */
export function recentList(signal, withKey) {
  const list = h("ul", { class: "recent" });
  const section = h("section", { "data-testid": "recent", hidden: true }, h("h2", { tabindex: "-1" }, "Your separations"), list);
  const item = (/** @type {{id: string, title: string}} */ { id, title }, /** @type {string} */ state) => {
    const remove = async () => {
      if (!(await confirmed({ title: "Delete this separation?", text: `The stems of \u201c${title}\u201d are deleted on the server.`, yes: "Delete" }))) return;
      try {
        await call(jobPath(id), { method: "DELETE" });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) return complain(error);
      }
      forget(id);
      row.remove();
      section.hidden = !list.children.length;
      if (!section.hidden) section.querySelector("h2")?.focus();
      say(`${title} is deleted.`, true);
    };
    const row = h("li", { "data-id": id }, h("a", { href: `#/s/${encodeURIComponent(id)}` }, title), h("span", { class: "state" }, state),
      h("button", { type: "button", class: "plain", "data-testid": "delete", "aria-label": `Delete ${title}`, onclick: remove }, "Delete"));
    return row;
  };
  const draw = async () => {
    if (withKey) for (const job of (await getJson("/separations", { signal })).separations.reverse()) note(job);
    const rows = await Promise.all(recent().map(async (entry) => {
      try {
        const job = await getJson(jobPath(entry.id), { signal });
        return item(job, stateOf(job));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return forget(entry.id);
        if (signal.aborted) return undefined;
        complain(error);
        return item(entry, "status unknown");
      }
    }));
    fill(list, rows.filter(Boolean));
    section.hidden = !list.children.length;
  };
  draw().catch((error) => signal.aborted || complain(error));
  return section;
}
