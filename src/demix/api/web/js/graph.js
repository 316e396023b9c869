// @ts-check
// The wiring of the sound and its gains:
//
//   input of a stem -> gain of the stem -> gain of the system -> edge (fades of start, stop, seek) -> master -> out
//
// All systems run all the time; switching only turns their gains, so the beat is kept to the sample.

const STEM_RAMP = 0.005; // s
const SWITCH = 0.008; // s for a crossfade between systems
export const EDGE = 0.01; // s for the fade around a start or a stop

/** Exponential, nearly there after `seconds`; two glides in opposite directions add up to one at any time.
 * @param {AudioParam} parameter @param {number} value @param {number} seconds @param {number} time */
const glide = (parameter, value, seconds, time) => parameter.setTargetAtTime(value, time, seconds / 4);

/** @typedef {{system: string, master: number, stems: Map<string, number>}} Levels */

export class Graph {
  /** @param {BaseAudioContext} context @param {string[]} systems @param {Levels} levels */
  constructor(context, systems, levels) {
    this.context = context;
    this.master = new GainNode(context, { gain: levels.master });
    this.edge = new GainNode(context, { gain: 0 });
    this.edge.connect(this.master).connect(context.destination);
    /** @type {Map<string, {gain: GainNode, stems: Map<string, GainNode>}>} */
    this.groups = new Map();
    for (const system of systems) {
      const gain = new GainNode(context, { gain: system === levels.system ? 1 : 0 });
      gain.connect(this.edge);
      const stems = new Map();
      for (const [stem, level] of levels.stems) {
        const node = new GainNode(context, { gain: level });
        node.connect(gain);
        stems.set(stem, node);
      }
      this.groups.set(system, { gain, stems });
    }
  }

  /** Where the source of a stem is plugged in. @param {string} system @param {string} stem @returns {GainNode} */
  input(system, stem) {
    const node = this.groups.get(system)?.stems.get(stem);
    if (!node) throw new Error(`no input for ${system}, ${stem}`);
    return node;
  }

  /** @param {string} system */
  hear(system) {
    for (const [name, { gain }] of this.groups) glide(gain.gain, name === system ? 1 : 0, SWITCH, this.context.currentTime);
  }

  /** @param {string} stem @param {number} level */
  setStem(stem, level) {
    for (const { stems } of this.groups.values()) {
      const node = stems.get(stem);
      if (node) glide(node.gain, level, STEM_RAMP, this.context.currentTime);
    }
  }

  /** @param {number} level */
  setMaster(level) {
    glide(this.master.gain, level, STEM_RAMP, this.context.currentTime);
  }

  /** Down from now on. */
  fadeOut() {
    glide(this.edge.gain, 0, EDGE, this.context.currentTime);
  }

  /** Up from a time on. @param {number} when */
  fadeIn(when) {
    glide(this.edge.gain, 1, EDGE, when);
  }
}
