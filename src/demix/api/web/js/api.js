// @ts-check
// Calls to the server. Every failure becomes an ApiError with a sentence that can be shown.
import { askForKey, forgetKey, storedKey } from "./key.js";

export const BASE = "/api/v1";

/**
 * @typedef {{id: string, status: "queued" | "running" | "done" | "failed" | "cancelled", title: string,
 *   example: string | null, models: string[], systems: string[], stems: string[], format: string,
 *   position: number | null, progress: number, remaining_seconds: number | null, seconds: number | null,
 *   sample_rate: number | null, channels: number | null, created_at: string, expires_at: string | null,
 *   notes: string[], error: string | null, scores: Record<string, Record<string, number>> | null}} Separation
 */

export class ApiError extends Error {
  /** @param {number} status 0: no answer at all @param {string} sentence */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

export const LOST = "The server does not answer. Check that demix serve is running, then try again.";

/** The sentence of an error response, with the wait that it asks for. @param {number} status @param {string} body @param {string | null} retry */
export function sentenceOf(status, body, retry) {
  let detail = "";
  try {
    detail = JSON.parse(body).detail;
  } catch {
    // not JSON: a proxy's page, which says nothing to people
  }
  if (typeof detail !== "string" || !detail) detail = `The server answered with status ${status}.`;
  return retry && /^\d+$/.test(retry) ? `${detail} Try again in ${retry} s.` : detail;
}

/** @returns {Record<string, string>} */
export const authorization = () => (storedKey() ? { Authorization: `Bearer ${storedKey()}` } : {});

/**
 * Fetch, with the API key if there is one; ask for it where the server wants one.
 * @param {string} path below /api/v1
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function call(path, options = {}) {
  const key = storedKey();
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers: { ...options.headers, ...authorization() } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, LOST);
  }
  if (response.status === 401) {
    if (storedKey() === key) forgetKey();
    if (storedKey() || (await askForKey(key !== null))) return call(path, options);
  }
  if (!response.ok) {
    throw new ApiError(response.status, sentenceOf(response.status, await response.text(), response.headers.get("Retry-After")));
  }
  return response;
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function getJson(path, options) {
  return (await call(path, options)).json();
}

/** @type {Map<string, Promise<any>>} */
const remembered = new Map();

/** Fetch something that does not change while the page is open. @param {string} path @returns {Promise<any>} */
export function getOnce(path) {
  let answer = remembered.get(path);
  if (!answer) {
    answer = getJson(path);
    answer.catch(() => remembered.delete(path));
    remembered.set(path, answer);
  }
  return answer;
}

/** @param {string} id */
export const jobPath = (id) => `/separations/${encodeURIComponent(id)}`;

/** @param {string} id @param {string} system */
export const systemPath = (id, system) => `${jobPath(id)}/systems/${encodeURIComponent(system)}`;

/** @param {string} id @param {string} system @param {string} stem */
export const stemPath = (id, system, stem) => `${systemPath(id, system)}/stems/${encodeURIComponent(stem)}`;

/** What a system is called: a net's title, or the name where the net has left the server. @returns {Promise<(system: string) => string>} */
export async function systemTitles() {
  const { models } = await getOnce("/models");
  const titles = new Map(models.map((/** @type {any} */ model) => [model.name, model.title]));
  return (system) => (system === "truth" ? "True stems" : titles.get(system) ?? system);
}
