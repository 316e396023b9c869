// @ts-check
// Which separations were made in this browser: ids and titles in localStorage, newest first.

const NAME = "demix.recent";
const KEPT = 30;

/** @typedef {{id: string, title: string}} Recent */

/** @returns {Recent[]} */
export function recent() {
  try {
    const list = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(list) ? list.filter((entry) => typeof entry?.id === "string" && typeof entry?.title === "string") : [];
  } catch {
    return [];
  }
}

/** @param {Recent[]} list */
function store(list) {
  try {
    localStorage.setItem(NAME, JSON.stringify(list.slice(0, KEPT)));
  } catch {
    // a private window without storage: the list lives no longer than the page, as the browser wants it
  }
}

/** @param {Recent} entry */
export const remember = ({ id, title }) => store([{ id, title }, ...recent().filter((entry) => entry.id !== id)]);

/** @param {string} id */
export const forget = (id) => store(recent().filter((entry) => entry.id !== id));

/** Keep the place in the list, learn the title of a link that was opened. @param {Recent} entry */
export function note(entry) {
  if (!recent().some(({ id }) => id === entry.id)) remember(entry);
}
