// @ts-check
// Brings the stems: fetched two at a time and decoded, the system that is to be heard first.
import { call, stemPath } from "./api.js";

const FULL_BYTES = 700e6;
const LOW_RATE = 22050;

/**
 * How the stems can be held in memory: as they are, or at a lower rate, or in mono too.
 * @param {{seconds: number | null, sample_rate: number | null, channels: number | null, systems: string[], stems: string[]}} job
 */
export function quality({ seconds, sample_rate, channels, systems, stems }) {
  const rate = sample_rate ?? 44100;
  const samples = (seconds ?? 0) * systems.length * stems.length;
  const width = Math.min(channels ?? 2, 2);
  if (samples * rate * width * 4 <= FULL_BYTES) return { rate, mono: false, note: null };
  const mono = samples * LOW_RATE * width * 4 > FULL_BYTES;
  const note = `The song is long: to fit into memory it is played at ${LOW_RATE / 1000} kHz${mono ? " in mono" : ""}. Downloads have the full quality.`;
  return { rate: LOW_RATE, mono, note };
}

/** @param {number} rate */
export function makeContext(rate) {
  try {
    return new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
  } catch {
    return new AudioContext();
  }
}

/** The mean of the channels. @param {AudioBuffer} buffer */
function toMono(buffer) {
  if (buffer.numberOfChannels === 1) return buffer;
  const mono = new AudioBuffer({ length: buffer.length, numberOfChannels: 1, sampleRate: buffer.sampleRate });
  const sum = mono.getChannelData(0);
  for (let c = 0; c < buffer.numberOfChannels; c++) {
    const channel = buffer.getChannelData(c);
    for (let i = 0; i < sum.length; i++) sum[i] += channel[i] / buffer.numberOfChannels;
  }
  return mono;
}

export class Loader {
  /**
   * @param {string} id
   * @param {{system: string, stem: string}[]} wanted
   * @param {{rate: number, mono: boolean, signal: AbortSignal,
   *   onStem: (system: string, stem: string, buffer: AudioBuffer) => void, onError: (problem: unknown, system: string) => void}} options
   */
  constructor(id, wanted, options) {
    this.id = id;
    this.queue = [...wanted];
    this.options = options;
    this.decoder = new OfflineAudioContext(2, 1, options.rate); // decodes, and needs no gesture of the user
  }

  /** Bring this system next. @param {string} system */
  prefer(system) {
    this.queue.sort((a, b) => Number(b.system === system) - Number(a.system === system));
  }

  async run() {
    await Promise.all([this.#work(), this.#work()]);
  }

  async #work() {
    const { signal, onStem, onError } = this.options;
    for (let next = this.queue.shift(); next && !signal.aborted; next = this.queue.shift()) {
      try {
        const buffer = await this.#bring(next.system, next.stem);
        if (!signal.aborted) onStem(next.system, next.stem, buffer);
      } catch (error) {
        if (signal.aborted) return;
        onError(error, next.system);
      }
    }
  }

  /** @param {string} system @param {string} stem */
  async #bring(system, stem) {
    const { mono, signal } = this.options;
    const path = stemPath(this.id, system, stem);
    const bytes = await (await call(path, { signal })).arrayBuffer();
    let buffer;
    try {
      buffer = await this.decoder.decodeAudioData(bytes);
    } catch {
      // a browser that does not know the format of this separation knows wav
      const wav = await (await call(`${path}?format=wav`, { signal })).arrayBuffer();
      buffer = await this.decoder.decodeAudioData(wav).catch(() => {
        throw new Error(`This browser cannot decode the stem ${stem}; it can still be downloaded.`);
      });
    }
    return mono ? toMono(buffer) : buffer;
  }
}
