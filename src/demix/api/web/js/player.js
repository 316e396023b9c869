// @ts-check
// The player: brings sound, waveforms and controls together.
import { getJson, stemPath } from "./api.js";
import { h } from "./dom.js";
import { stemTitle } from "./format.js";
import { Engine } from "./engine.js";
import { Loader, makeContext, quality } from "./loader.js";
import { LoopTools } from "./loop-tools.js";
import { gainOf, Mixer } from "./mixer.js";
import { complain, say } from "./notices.js";
import { helpDialog, listen } from "./shortcuts.js";
import { StemRow } from "./stem-row.js";
import { Transport } from "./transport.js";
import { loudestOf } from "./waveform.js";

export class Player {
  /**
   * @param {import("./api.js").Separation} job
   * @param {(system: string) => string} titleOf
   * @param {AbortSignal} signal
   */
  constructor(job, titleOf, signal) {
    this.job = job;
    this.wanted = job.systems[0];
    this.wantsPlay = false;
    this.frame = 0;
    this.titleOf = titleOf;
    this.signal = signal;
    this.quality = quality(job);
    this.engine = new Engine(() => makeContext(this.quality.rate), job.systems, job.stems, this.quality.rate);
    /** @type {Map<string, number>} how many stems of a system have come or failed */
    this.settled = new Map(job.systems.map((system) => [system, 0]));
    /** @type {Map<string, import("./waveform.js").Peaks>} */
    this.peaks = new Map();
    /** @type {((position: number, playing: boolean) => void)[]} */
    this.followers = [];
    this.mixer = new Mixer(job.stems, (stem, gain) => this.engine.setStem(stem, gain));
    const { engine } = this;
    const seek = (/** @type {number} */ seconds) => engine.seek(seconds);
    this.transport = new Transport(job.systems, titleOf, { toggle: () => this.toggle(), hear: (system) => this.hear(system), seek,
      step: (seconds) => seek(engine.position + seconds) });
    this.tools = new LoopTools({
      position: () => engine.position,
      duration: () => this.duration,
      apply: (loop) => engine.duration && engine.setLoop(loop),
      show: (region, on) => this.rows?.forEach((row) => row.timeline.showLoop(region, on, this.duration)),
      master: (place) => engine.setMaster(gainOf(place)),
      help: () => this.#showHelp(),
    });
    const loop = (/** @type {number} */ a, /** @type {number} */ b) => this.tools.set({ start: Math.min(a, b), end: Math.max(a, b) }, true);
    const strip = { seek, loop, duration: () => this.duration };
    this.rows = job.stems.map((stem, index) => new StemRow(stem, index + 1, this.mixer, strip, () => this.refresh()));
    this.help = helpDialog(job.systems, titleOf, job.stems.length);
    this.loading = h("p", { class: "fine", "data-testid": "loading" });
    this.element = h("div", { class: "deck", "data-testid": "player" }, this.transport.element,
      h("div", { class: "player" },
        h("p", { class: "hint" }, this.#hint()),
        h("ol", { class: "stems", "aria-label": "Stems" }, this.rows.map((row) => row.element)),
        this.tools.element, this.loading, this.quality.note && h("p", { class: "fine" }, this.quality.note), this.help));
    this.#listen();
    this.refresh();
    this.#load();
  }

  get duration() {
    return this.engine.duration || this.job.seconds || 0;
  }

  #hint() {
    const keys = h("span", { class: "keyhint" }, " ", this.job.systems.map((system) => [h("kbd", {}, system.charAt(0).toUpperCase()), " "]).flat().slice(0, -1));
    if (this.job.systems.length === 1) return "Mute stems or hear one alone. All together they are the song itself.";
    return ["Solo a stem, then switch while it plays", keys, ": the beat is kept. All stems together are the song itself, whoever has cut it."];
  }

  #listen() {
    const { engine, mixer, signal, tools, job } = this;
    const onStem = (/** @type {"toggleMute" | "toggleSolo"} */ action) => (/** @type {number} */ index) => {
      if (job.stems[index]) mixer[action](job.stems[index]);
      this.refresh();
    };
    const next = () => this.hear(job.systems[(job.systems.indexOf(engine.system) + 1) % job.systems.length]);
    listen({ toggle: () => this.toggle(), step: (seconds) => engine.seek(engine.position + seconds), mute: onStem("toggleMute"),
      solo: onStem("toggleSolo"), hear: (system) => this.hear(system), next, loop: () => tools.toggle(),
      loopStart: () => tools.setStart(), loopEnd: () => tools.setEnd(), help: () => this.#showHelp() }, job.systems, signal);
    engine.addEventListener("change", () => this.refresh());
    const redraw = () => this.rows.forEach((row) => row.waveform.draw());
    const resize = new ResizeObserver(redraw);
    resize.observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
    signal.addEventListener("abort", () => {
      resize.disconnect();
      cancelAnimationFrame(this.frame);
      engine.close();
    }, { once: true });
  }

  #showHelp() {
    this.help.showModal();
    this.help.querySelector("button").focus();
  }

  #load() {
    const { job, signal } = this;
    const wanted = job.systems.flatMap((system) => job.stems.map((stem) => ({ system, stem })));
    const settle = (/** @type {string} */ system) => {
      this.settled.set(system, (this.settled.get(system) ?? 0) + 1);
      this.#afterStem(system, wanted.length);
    };
    this.loader = new Loader(job.id, wanted, {
      ...this.quality, signal,
      onStem: (system, stem, buffer) => (this.engine.add(system, stem, buffer), settle(system)),
      onError: (problem, system) => (complain(problem), settle(system)),
    });
    this.#showLoading(wanted.length);
    this.loader.run();
    for (const { system, stem } of wanted) {
      getJson(`${stemPath(job.id, system, stem)}/peaks`, { signal })
        .then((peaks) => (this.peaks.set(`${system}/${stem}`, peaks), this.#drawWaves()))
        .catch((error) => signal.aborted || complain(error));
    }
  }

  /** @param {string} system */
  isReady(system) {
    return (this.settled.get(system) ?? 0) >= this.job.stems.length;
  }

  /** @param {string} system @param {number} all */
  #afterStem(system, all) {
    this.#showLoading(all);
    if (system === this.wanted && this.isReady(system)) {
      this.hear(system);
      if (this.wantsPlay && !this.engine.playing) this.toggle();
    }
    this.refresh();
  }

  /** @param {number} all */
  #showLoading(all) {
    const done = [...this.settled.values()].reduce((sum, count) => sum + count, 0);
    this.loading.textContent = done < all ? `Loading the sound: ${done} of ${all} stems` : "";
    this.loading.hidden = done >= all;
    if (done === all) say("All stems are loaded.");
  }

  toggle() {
    if (this.engine.playing) return this.engine.pause();
    const unlocked = this.engine.unlock(); // now, in the gesture, even if the stems are still to come
    this.wantsPlay = !this.isReady(this.engine.system) && !this.wantsPlay;
    this.refresh();
    if (this.wantsPlay) return say("Playing begins as soon as the stems are loaded.", true);
    if (!this.isReady(this.engine.system)) return;
    unlocked.then(() => this.engine.play()).catch((error) => complain(`The sound could not be started: ${error.message}`));
  }

  /** Hear a system now, or as soon as it is loaded. @param {string} system */
  hear(system) {
    this.wanted = system;
    if (this.isReady(system)) {
      if (system !== this.engine.system) say(`Hearing ${this.titleOf(system)}.`, true);
      this.engine.switchTo(system);
      this.#drawWaves();
    } else this.loader?.prefer(system);
    this.refresh();
  }

  #drawWaves() {
    const loudest = Math.max(0, ...[...this.peaks.values()].map(loudestOf));
    for (const row of this.rows) {
      const title = `Waveform of ${stemTitle(row.stem).toLowerCase()}, ${this.titleOf(this.engine.system)}`;
      row.waveform.show(this.peaks.get(`${this.engine.system}/${row.stem}`) ?? null, loudest, title);
    }
  }

  /** Show all that has changed, and go on while it plays. */
  refresh() {
    const { engine, job } = this;
    for (const row of this.rows) row.update(job.scores, this.titleOf, engine.system);
    const notes = new Map(job.systems.filter((system) => !this.isReady(system)).map((system) => [system, `${this.settled.get(system)} of ${job.stems.length}`]));
    this.transport.showSystems(engine.system, notes);
    const { dataset } = this.element;
    dataset.playing = String(engine.playing);
    dataset.system = engine.system;
    dataset.loop = engine.loop ? `${engine.loop.start.toFixed(3)}-${engine.loop.end.toFixed(3)}` : "";
    dataset.ready = job.systems.filter((system) => this.isReady(system)).join(" ");
    cancelAnimationFrame(this.frame);
    this.#tick();
  }

  #tick() {
    const { engine } = this;
    engine.tick();
    const { position, playing } = engine;
    this.element.dataset.time = position.toFixed(3);
    this.transport.update({ position, duration: this.duration, playing: playing || this.wantsPlay });
    for (const { timeline } of this.rows) if (!timeline.dragging) timeline.showHead(position / (this.duration || 1));
    for (const follower of this.followers) follower(position, playing);
    if (playing) this.frame = requestAnimationFrame(() => this.#tick());
  }
}
