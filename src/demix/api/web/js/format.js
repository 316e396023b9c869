// @ts-check
// Numbers and names as people read them.

/** 83.25 -> "1:23.2" @param {number} seconds @param {number} [digits] */
export function clock(seconds, digits = 1) {
  const unit = 10 ** digits;
  const rounded = Math.floor(Math.max(0, seconds) * unit + 1e-6) / unit;
  const minutes = Math.floor(rounded / 60);
  return `${minutes}:${(rounded - minutes * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}

/** For a screen reader: "1 minute 23 seconds" @param {number} seconds */
export function spoken(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds - minutes * 60);
  const part = (/** @type {number} */ n, /** @type {string} */ unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;
  return minutes ? `${part(minutes, "minute")} ${part(rest, "second")}` : part(rest, "second");
}

/** "about 8 seconds", "about 3 minutes" @param {number} seconds */
export function about(seconds) {
  if (seconds < 1.5) return "a moment";
  if (seconds < 90) return `about ${seconds < 10 ? Math.round(seconds) : Math.round(seconds / 5) * 5} seconds`;
  return `about ${Math.round(seconds / 60)} minutes`;
}

/** @param {number} bytes */
export const megabytes = (bytes) => {
  const value = bytes / 1e6;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} MB`;
};

/** Decibels with a real minus. @param {number | null | undefined} value */
export const decibels = (value) => (Number.isFinite(value) ? Number(value).toFixed(1).replace("-", "\u2212") : "\u2013");

/** "until Tue 05:00, another 23 hours" @param {string} time */
export function until(time) {
  const date = new Date(time);
  const hours = (date.getTime() - Date.now()) / 3.6e6;
  const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(date);
  if (hours <= 0) return `until ${day}`;
  const left = hours >= 48 ? `${Math.round(hours / 24)} days` : hours >= 2 ? `${Math.round(hours)} hours` : `${Math.ceil(hours * 60)} minutes`;
  return `until ${day}, another ${left}`;
}

/** "no_vocals" -> "No vocals" @param {string} stem */
export const stemTitle = (stem) => (stem.charAt(0).toUpperCase() + stem.slice(1)).replaceAll("_", " ");

/** ["a", "b", "c"] -> "a, b and c" @param {string[]} words */
export const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
