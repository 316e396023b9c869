// @ts-check
// A new separation. XMLHttpRequest, because fetch cannot tell how much has been sent.
import { ApiError, authorization, BASE, LOST, sentenceOf } from "./api.js";
import { askForKey, forgetKey, storedKey } from "./key.js";

/**
 * @param {{file?: File, example?: string, models: string[]}} wish
 * @param {(sent: number, total: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<import("./api.js").Separation>}
 */
export async function separate(wish, onProgress, signal) {
  const form = new FormData();
  for (const model of wish.models) form.append("models", model);
  form.append("format", "flac");
  if (wish.example) form.append("example", wish.example);
  else if (wish.file) form.append("file", wish.file, wish.file.name);
  for (;;) {
    const key = storedKey();
    const { status, body, retry } = await post(form, onProgress, signal);
    if (status === 401) {
      forgetKey();
      if (await askForKey(key !== null)) continue;
    }
    if (status < 200 || status > 299) throw new ApiError(status, sentenceOf(status, body, retry));
    return JSON.parse(body);
  }
}

/**
 * @param {FormData} form @param {(sent: number, total: number) => void} onProgress @param {AbortSignal} signal
 * @returns {Promise<{status: number, body: string, retry: string | null}>}
 */
function post(form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${BASE}/separations`);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    let sent = 0;
    request.upload.onprogress = (event) => {
      sent = event.loaded;
      if (event.lengthComputable) onProgress(event.loaded, event.total);
    };
    request.onload = () => resolve({ status: request.status, body: request.responseText, retry: request.getResponseHeader("Retry-After") });
    request.onerror = () => reject(new ApiError(0, sent ? "The connection broke off while the song was being sent. Nothing was kept; try again." : LOST));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
