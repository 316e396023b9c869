// @ts-check
// Which stems are heard and how loud: mute, solo, volume. Solo wins over mute.

export class Mixer {
  /** @param {string[]} stems @param {(stem: string, gain: number) => void} apply */
  constructor(stems, apply) {
    this.stems = stems;
    this.apply = apply;
    /** @type {Set<string>} */
    this.muted = new Set();
    /** @type {Set<string>} */
    this.solo = new Set();
    this.volumes = new Map(stems.map((stem) => [stem, 1]));
  }

  /** @param {string} stem */
  isHeard(stem) {
    return this.solo.size ? this.solo.has(stem) : !this.muted.has(stem);
  }

  /** @param {Set<string>} set @param {string} stem */
  #toggle(set, stem) {
    if (!set.delete(stem)) set.add(stem);
    this.#applyAll();
  }

  /** @param {string} stem */
  toggleMute(stem) {
    this.#toggle(this.muted, stem);
  }

  /** @param {string} stem */
  toggleSolo(stem) {
    this.#toggle(this.solo, stem);
  }

  /** @param {string} stem @param {number} volume 0 to 1, of the slider */
  setVolume(stem, volume) {
    this.volumes.set(stem, volume);
    this.#applyAll();
  }

  #applyAll() {
    for (const stem of this.stems) this.apply(stem, this.isHeard(stem) ? gainOf(this.volumes.get(stem) ?? 1) : 0);
  }
}

/** A slider's place as a gain: quadratic, so that half way sounds about half as loud. @param {number} place 0 to 1 */
export const gainOf = (place) => place ** 2;
