// @ts-check
// What happens to a separation, as it happens: server-sent events read through fetch (which can send the API key and
// Last-Event-ID), with patience when the line breaks, and plain polling when streams do not get through at all.
import { ApiError, call, getJson, jobPath } from "./api.js";

const FINISHED = ["done", "failed", "cancelled"];
const STREAM_TRIES = 3;
const PATIENCE = 30_000; // milliseconds without a byte, after which a stream counts as stuck

/**
 * Cut a stream of text into server-sent events.
 * @param {(event: {type: string, data: string, id: string | null}) => void} emit
 * @returns {(text: string) => void}
 */
export function eventParser(emit) {
  let rest = "";
  let type = "";
  /** @type {string[]} */
  let data = [];
  /** @type {string | null} */
  let id = null;
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length) emit({ type: type || "message", data: data.join("\n"), id });
        [type, data, id] = ["", [], null];
        continue;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? ["", "", ""];
      if (field === "event") type = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
  };
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

/**
 * Follow a separation until it is finished, gone, or the signal aborts.
 * @param {string} id
 * @param {{onStatus: (job: import("./api.js").Separation) => void, onProgress: (progress: any) => void,
 *   onGone: () => void, onTrouble: (sentence: string | null) => void}} listener `onTrouble` hears null when all is well again
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export async function follow(id, listener, signal) {
  let last = "";
  let finished = false;
  let failures = 0;
  const status = (/** @type {import("./api.js").Separation} */ job) => {
    finished ||= FINISHED.includes(job.status);
    listener.onStatus(job);
  };
  const gone = () => {
    finished = true;
    listener.onGone();
  };
  const receive = (/** @type {{type: string, data: string, id: string | null}} */ event) => {
    if (event.id !== null) last = event.id;
    failures = 0;
    listener.onTrouble(null);
    if (event.type === "status") status(JSON.parse(event.data));
    else if (event.type === "progress" || event.type === "position") listener.onProgress(JSON.parse(event.data));
    else if (event.type === "gone") gone();
  };
  while (!finished && !signal.aborted) {
    try {
      if (failures < STREAM_TRIES) {
        failures += 1; // until an event comes
        await stream(id, last, receive, signal);
      } else {
        status(await getJson(jobPath(id), { signal }));
        listener.onTrouble(null);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status === 404) return gone();
      if (error instanceof ApiError && error.status === 401) throw error;
      const known = error instanceof ApiError && error.status ? error.message : "The connection to the server is lost.";
      listener.onTrouble(`${known} Trying again.`);
    }
    if (!finished) await pause(Math.min(500 * 2 ** failures, 4000), signal).catch(() => {});
  }
}

/** @param {string} id @param {string} last @param {(event: any) => void} receive @param {AbortSignal} signal */
async function stream(id, last, receive, signal) {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), PATIENCE);
  try {
    const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
    const response = await call(`${jobPath(id)}/events`, { headers, signal: either, cache: "no-store" });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser(receive);
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: "" };
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), PATIENCE);
      parse(value ?? "");
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}
