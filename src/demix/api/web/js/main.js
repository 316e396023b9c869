// @ts-check
// The page "Separate": which view the address asks for. `#/s/<id>` is one separation, all else the start.
import { clearNotices, complain } from "./notices.js";
import { byId } from "./dom.js";
import { startShell } from "./shell.js";
import { jobView } from "./view-job.js";
import { startView } from "./view-start.js";

let view = new AbortController();
let first = true;
const service = startShell();

async function route() {
  const { hash } = location;
  if (hash && !hash.startsWith("#/")) return;
  view.abort(new DOMException("left the view", "AbortError"));
  view = new AbortController();
  const { signal } = view;
  clearNotices();
  const focus = !first;
  first = false;
  if (focus) scrollTo(0, 0);
  const id = /^#\/s\/([^/]+)$/.exec(hash)?.[1];
  const main = byId("main");
  try {
    if (id) await jobView(main, decodeURIComponent(id), { signal, focus });
    else await startView(main, await service, { signal, focus });
  } catch (error) {
    if (!signal.aborted) complain(error);
  }
}

addEventListener("hashchange", route);
byId("home").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  if (location.hash.startsWith("#/s/")) location.hash = "#/";
});
route();
