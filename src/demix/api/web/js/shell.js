// @ts-check
// What both pages share: skip link, footer, titles, focus.
import { getOnce } from "./api.js";
import { byId } from "./dom.js";
import { complain } from "./notices.js";

/** @returns {Promise<any>} the service, or null if it does not answer */
export async function startShell() {
  byId("skip").addEventListener("click", () => byId("main").focus());
  try {
    const service = await getOnce("/service");
    const hours = service.limits.keep_hours;
    byId("about").textContent = `demix ${service.version}. Songs and stems stay on this server and are deleted after ${hours} hour${hours === 1 ? "" : "s"}.`;
    return service;
  } catch (error) {
    complain(error);
    return null;
  }
}

/** Name the view and put the focus on its heading, except at the first. @param {string} title @param {HTMLElement} heading @param {boolean} focus */
export function enter(title, heading, focus) {
  document.title = `${title}: demix`;
  heading.tabIndex = -1;
  if (focus) heading.focus({ preventScroll: true });
}
