// @ts-check
// Plays all stems of all systems in one AudioContext: started at one instant, never apart by a sample.
// The context is made at the first play, in the user's gesture, as phones and Chromium want it.
import { loopBetween, onSample, positionAt } from "./clock.js";
import { EDGE, Graph } from "./graph.js";

const AHEAD = 0.06; // s between a decision and its effect, so that all sources are ready

/** @typedef {{system: string, stem: string, buffer: AudioBuffer, source: AudioBufferSourceNode | null}} Part */

export class Engine extends EventTarget {
  /**
   * @param {() => BaseAudioContext} makeContext
   * @param {string[]} systems
   * @param {string[]} stems
   * @param {number} rate samples per second of the buffers
   */
  constructor(makeContext, systems, stems, rate) {
    super();
    this.makeContext = makeContext;
    this.systems = systems;
    this.rate = rate;
    this.duration = 0;
    this.playing = false;
    /** @type {import("./graph.js").Levels} */
    this.levels = { system: systems[0], master: 1, stems: new Map(stems.map((stem) => [stem, 1])) };
    /** @type {import("./clock.js").Loop} */
    this.loop = null;
    this.anchor = { position: 0, since: 0 };
    /** @type {Part[]} */
    this.parts = [];
    /** @type {Graph | null} */
    this.graph = null;
  }

  get system() {
    return this.levels.system;
  }

  /** Seconds into the song, now. */
  get position() {
    if (!this.playing || !this.graph) return this.anchor.position;
    return Math.min(this.duration, positionAt(this.anchor, this.graph.context.currentTime, this.loop));
  }

  /** Take a decoded stem; while playing it joins at the running position. @param {string} system @param {string} stem @param {AudioBuffer} buffer */
  add(system, stem, buffer) {
    this.duration ||= buffer.duration;
    const part = { system, stem, buffer: fitted(buffer, this.duration), source: null };
    this.parts.push(part);
    if (!this.playing || !this.graph) return;
    const when = this.#soon(this.graph);
    this.#start(this.graph, part, when, positionAt(this.anchor, when, this.loop));
  }

  /** @param {Graph} graph */
  #soon(graph) {
    return onSample(graph.context.currentTime + AHEAD, graph.context.sampleRate);
  }

  /** @param {Graph} graph @param {Part} part @param {number} when @param {number} offset */
  #start(graph, part, when, offset) {
    const source = new AudioBufferSourceNode(graph.context, { buffer: part.buffer });
    if (this.loop) Object.assign(source, { loop: true, loopStart: this.loop.start, loopEnd: this.loop.end });
    source.connect(graph.input(part.system, part.stem));
    source.start(when, onSample(offset, this.rate));
    part.source = source;
  }

  /** @param {number} when */
  #stopAt(when) {
    for (const part of this.parts) {
      part.source?.stop(when);
      part.source = null;
    }
  }

  /** Let everything run from `position`, in place of what runs until `when`. @param {Graph} graph @param {number} position @param {number} when */
  #run(graph, position, when) {
    this.#stopAt(when);
    this.anchor = { position: onSample(position, this.rate), since: when };
    for (const part of this.parts) this.#start(graph, part, when, this.anchor.position);
  }

  /** Into the loop, if behind it. @param {number} position */
  #inside(position) {
    return this.loop && position >= this.loop.end ? this.loop.start : position;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Get the sound going; call this in a user's gesture. */
  async unlock() {
    this.graph ??= new Graph(this.makeContext(), this.systems, this.levels);
    const { context } = this.graph;
    if ("resume" in context && context.state !== "running") await /** @type {AudioContext} */ (context).resume();
  }

  async play() {
    if (this.playing || !this.duration) return;
    await this.unlock();
    if (this.playing || !this.graph) return;
    const position = this.anchor.position >= this.duration - 0.01 ? 0 : this.anchor.position;
    const when = this.#soon(this.graph);
    this.playing = true;
    this.graph.fadeIn(when);
    this.#run(this.graph, this.#inside(position), when);
    this.#changed();
  }

  pause() {
    if (!this.playing || !this.graph) return;
    this.anchor = { position: this.position, since: 0 };
    this.playing = false;
    this.graph.fadeOut();
    this.#stopAt(this.graph.context.currentTime + 2 * EDGE);
    this.#changed();
  }

  /** @param {number} position */
  seek(position) {
    const target = Math.min(Math.max(0, position), this.duration);
    if (this.playing && this.graph) {
      const when = this.#soon(this.graph);
      this.graph.fadeOut();
      this.graph.fadeIn(when);
      this.#run(this.graph, this.#inside(target), when);
    } else this.anchor = { position: target, since: 0 };
    this.#changed();
  }

  /** Repeat what lies between two positions; null plays on. Without a gap, as all sources change over at one sample. @param {import("./clock.js").Loop} loop */
  setLoop(loop) {
    const when = this.graph ? this.#soon(this.graph) : 0;
    const position = this.playing ? positionAt(this.anchor, when, this.loop) : this.anchor.position;
    this.loop = loop && loopBetween(loop.start, loop.end, this.duration, this.rate);
    if (this.playing && this.graph) this.#run(this.graph, this.#inside(position), when);
    this.#changed();
  }

  /** Hear another system, from this instant on. @param {string} system */
  switchTo(system) {
    this.levels.system = system;
    this.graph?.hear(system);
    this.#changed();
  }

  /** @param {string} stem @param {number} level */
  setStem(stem, level) {
    if (this.levels.stems.get(stem) === level) return;
    this.levels.stems.set(stem, level);
    this.graph?.setStem(stem, level);
  }

  /** @param {number} level */
  setMaster(level) {
    this.levels.master = level;
    this.graph?.setMaster(level);
  }

  /** Look at the clock: at the end of the song it stops, at its beginning. */
  tick() {
    if (!this.playing || this.loop || this.position < this.duration) return;
    this.pause();
    this.seek(0);
  }

  async close() {
    this.pause();
    const context = this.graph?.context;
    if (context && "close" in context) await /** @type {AudioContext} */ (context).close();
    this.parts = [];
  }
}

/** As long as the others: a looped source wraps at its own end. @param {AudioBuffer} buffer @param {number} seconds */
function fitted(buffer, seconds) {
  const length = Math.round(seconds * buffer.sampleRate);
  if (buffer.length === length) return buffer;
  const copy = new AudioBuffer({ length, numberOfChannels: buffer.numberOfChannels, sampleRate: buffer.sampleRate });
  for (let c = 0; c < buffer.numberOfChannels; c++) copy.copyToChannel(buffer.getChannelData(c).subarray(0, length), c);
  return copy;
}
