// Blind trials: which net is A and which X is stays inside this script until the vote.
(() => {
  const box = document.querySelector(".abx");
  if (!box) return;
  const { store, file, systems, labels, gains } = JSON.parse(box.dataset.about);
  const find = (selector) => box.querySelector(selector);
  const [form, trialBox, count, reveal, next] = [".bar", ".trial", ".count", ".reveal", ".next"].map(find);
  const listenButtons = [...box.querySelectorAll("[data-play]")];
  const voteButtons = [...box.querySelectorAll("[data-vote]")];
  const FADE_SECONDS = 0.02;
  const COLUMNS = ["round", "stem", "planned", "trial", "a", "b", "x", "vote", "right"];

  // --- chance ---------------------------------------------------------------------------------------------------
  const coin = () => crypto.getRandomValues(new Uint8Array(1))[0] & 1;
  const atLeast = (right, trials) => {
    let ways = 1;
    let sum = 0;
    for (let k = 0; k <= trials; k++) {
      if (k >= right) sum += ways;
      ways = (ways * (trials - k)) / (k + 1);
    }
    return sum / 2 ** trials;
  };

  // --- votes, kept in this browser ------------------------------------------------------------------------------
  let votes = [];
  try {
    const kept = JSON.parse(localStorage.getItem(store) ?? "[]");
    if (Array.isArray(kept)) votes = kept.filter((vote) => COLUMNS.every((column) => column in Object(vote)));
  } catch {
    votes = []; // no storage here, or not ours: the votes last as long as the page is open
  }
  const keep = () => {
    try {
      if (votes.length) localStorage.setItem(store, JSON.stringify(votes));
      else localStorage.removeItem(store);
    } catch {
      reveal.append(" This browser keeps no votes: export them before you leave.");
    }
  };

  // --- sound: both nets run in step, one of them is heard ---------------------------------------------------------
  let context, master, playing;
  const decoded = new Map();
  const decode = async (system, stem) => {
    const key = `${system} ${stem}`;
    if (!decoded.has(key)) {
      const element = document.querySelector(`audio[data-system="${CSS.escape(system)}"][data-stem="${stem}"]`);
      const bytes = Uint8Array.from(atob(element.src.split(",")[1]), (letter) => letter.charCodeAt(0));
      decoded.set(key, await context.decodeAudioData(bytes.buffer));
    }
    return decoded.get(key);
  };
  const stop = () => {
    for (const { source } of playing?.values() ?? []) source.stop();
    playing = undefined;
    for (const button of listenButtons) button.setAttribute("aria-pressed", "false");
  };
  const begin = async (stem) => {
    context ??= new AudioContext();
    await context.resume();
    const buffers = await Promise.all(systems.map((system) => decode(system, stem)));
    if (playing) return;
    master ??= new GainNode(context, { gain: 0 });
    master.connect(context.destination);
    const start = context.currentTime + 0.05;
    playing = new Map();
    systems.forEach((system, index) => {
      const gain = new GainNode(context, { gain: 0 });
      const source = new AudioBufferSourceNode(context, { buffer: buffers[index], loop: true });
      source.connect(gain).connect(master);
      source.start(start);
      playing.set(system, { source, gain });
    });
  };
  // Every switch fades out and in, also from a net to itself: the fade must not tell whether the sound changed.
  const hear = (system, stem) => {
    const now = context.currentTime;
    master.gain.cancelScheduledValues(now);
    master.gain.setValueAtTime(master.gain.value, now);
    master.gain.linearRampToValueAtTime(0, now + FADE_SECONDS);
    master.gain.linearRampToValueAtTime(1, now + 2 * FADE_SECONDS);
    for (const [name, { gain }] of playing) {
      gain.gain.cancelScheduledValues(now);
      gain.gain.setValueAtTime(name === system ? gains[stem][name] : 0, now + FADE_SECONDS);
    }
  };

  // --- a round of trials ----------------------------------------------------------------------------------------
  let round, trial;
  const newTrial = () => {
    stop();
    const a = systems[coin()];
    const b = systems.find((system) => system !== a);
    trial = { a, b, x: coin() ? a : b, heard: new Set(), voted: false };
    round.trial += 1;
    count.textContent = `Trial ${round.trial} of ${round.planned}: ${round.stem}`;
    reveal.textContent = "";
    next.hidden = true;
    show();
    count.focus();
  };
  const show = () => {
    const ready = trial.heard.has("x") && trial.heard.size > 1 && !trial.voted;
    for (const button of voteButtons) button.disabled = !ready;
  };
  const listen = async (key) => {
    if (!trial) return;
    const { stem } = round;
    const current = trial;
    document.querySelectorAll("audio").forEach((audio) => audio.pause());
    try {
      if (!playing) await begin(stem);
    } catch (error) {
      reveal.textContent = `Cannot play: ${error.message}`;
      return;
    }
    if (trial !== current || !playing) return;
    hear(trial[key], stem);
    trial.heard.add(key);
    for (const button of listenButtons) button.setAttribute("aria-pressed", String(button.dataset.play === key));
    show();
  };
  const vote = (key) => {
    if (!trial || voteButtons[0].disabled) return;
    stop();
    trial.voted = true;
    const right = trial[key] === trial.x;
    const { a, b, x } = trial;
    votes.push({ round: round.begun, stem: round.stem, planned: round.planned, trial: round.trial, a, b, x, vote: key, right });
    const is = x === a ? "A" : "B";
    reveal.textContent = `${right ? "Right" : "Wrong"}: X was ${is}, the ${labels[x]}. A was the ${labels[a]}, B the ${labels[b]}.`;
    keep();
    show();
    list();
    if (round.trial < round.planned) {
      next.hidden = false;
      next.focus();
    } else {
      const all = votes.filter((each) => each.round === round.begun);
      reveal.append(` ${finding(all).sentence}`);
      trial = undefined;
      form.querySelector("button").focus();
    }
  };
  const finding = (all) => {
    const right = all.filter((each) => each.right).length;
    const { planned } = all[0];
    const score = `${right} of ${all.length}`;
    if (all.length < planned) return { score, p: "–", words: `not finished (${planned} planned)`, sentence: "" };
    const chance = atLeast(right, planned);
    const p = chance < 0.001 ? "< 0.001" : chance.toFixed(3);
    const words = chance <= 0.05 ? "told apart" : "cannot tell";
    const said = chance <= 0.05 ? "you tell the nets apart" : "cannot tell whether you hear a difference";
    return { score, p, words, sentence: `${score} right, p ${chance < 0.001 ? p : `= ${p}`}: ${said}.` };
  };
  const list = () => {
    const rounds = new Map();
    for (const each of votes) rounds.set(each.round, [...(rounds.get(each.round) ?? []), each]);
    find("tbody").replaceChildren(
      ...[...rounds].map(([begun, all]) => {
        const { score, p, words } = finding(all);
        const row = document.createElement("tr");
        [begun.slice(0, 16).replace("T", " "), all[0].stem, score, p, words].forEach((text, index) => {
          const cell = document.createElement(index ? "td" : "th");
          if (!index) cell.scope = "row";
          cell.textContent = text;
          row.append(cell);
        });
        return row;
      }),
    );
    find(".votes").hidden = !votes.length;
  };

  // --- hands ----------------------------------------------------------------------------------------------------
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = new FormData(form);
    const begun = new Date().toISOString();
    round = { begun, stem: chosen.get("stem"), planned: Number(chosen.get("planned")), trial: 0 };
    trialBox.hidden = false;
    newTrial();
  });
  for (const button of listenButtons) button.addEventListener("click", () => listen(button.dataset.play));
  for (const button of voteButtons) button.addEventListener("click", () => vote(button.dataset.vote));
  next.addEventListener("click", newTrial);
  find(".stop").addEventListener("click", stop);
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    const key = event.key.toLowerCase();
    if (["a", "b", "x"].includes(key)) listen(key);
    if (key === "1" || key === "2") vote("ab"[key - 1]);
  });
  // The other player and this one never sound together.
  document.addEventListener("play", stop, true);
  find(".export").addEventListener("click", () => {
    const quoted = (cell) => (/[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : cell);
    const lines = [COLUMNS, ...votes.map((each) => COLUMNS.map((column) => quoted(each[column])))];
    const link = document.createElement("a");
    link.download = file;
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",") + "\n").join("")], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  find(".clear").addEventListener("click", () => {
    if (!confirm("Clear all votes that this browser keeps for this page?")) return;
    votes = [];
    keep();
    list();
    reveal.textContent = "The votes are cleared.";
  });
  list();
})();
