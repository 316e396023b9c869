// One stem plays at a time; switching keeps the position, so that the same moment is compared.
// Without this script every stem shows the browser's own controls instead.
(() => {
  const player = document.querySelector(".player");
  if (!player) return;
  document.documentElement.classList.add("js");
  const cells = [...player.querySelectorAll(".cell")].map((element) => ({
    button: element.querySelector("button"),
    audio: element.querySelector("audio"),
  }));
  const playButton = player.querySelector(".play");
  const slider = player.querySelector("input[type=range]");
  const clock = player.querySelector("output");
  const loop = player.querySelector("input[type=checkbox]");
  const seconds = Number(slider.max);
  let current = cells[0];

  const show = () => {
    const playing = !current.audio.paused;
    for (const cell of cells) cell.button.setAttribute("aria-pressed", String(cell === current));
    playButton.textContent = playing ? "Pause" : "Play";
    slider.value = current.audio.currentTime;
    slider.setAttribute("aria-valuetext", `${current.audio.currentTime.toFixed(1)} seconds`);
    clock.textContent = `${current.audio.currentTime.toFixed(1)} / ${seconds.toFixed(1)} s`;
  };
  const follow = () => {
    show();
    if (!current.audio.paused) requestAnimationFrame(follow);
  };
  const start = async (cell) => {
    const position = current.audio.currentTime;
    if (cell !== current) current.audio.pause();
    current = cell;
    cell.audio.currentTime = position < seconds ? position : 0;
    cell.audio.loop = loop.checked;
    show();
    try {
      await cell.audio.play();
      follow();
    } catch (error) {
      if (error.name !== "AbortError") clock.textContent = `cannot play: ${error.message}`;
    }
  };
  const toggle = (cell) => (cell === current && !cell.audio.paused ? cell.audio.pause() : start(cell));

  for (const cell of cells) {
    cell.audio.controls = false;
    cell.audio.addEventListener("pause", show);
    cell.button.addEventListener("click", () => toggle(cell));
  }
  playButton.addEventListener("click", () => toggle(current));
  slider.addEventListener("input", () => {
    current.audio.currentTime = Number(slider.value);
    show();
  });
  loop.addEventListener("change", () => cells.forEach((cell) => (cell.audio.loop = loop.checked)));
  player.addEventListener("keydown", (event) => {
    const row = event.target.closest("fieldset");
    if (!row) return;
    const rows = [...player.querySelectorAll("fieldset")];
    const column = [...row.querySelectorAll("button")].indexOf(event.target);
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!steps || column < 0) return;
    const buttons = rows[rows.indexOf(row) + steps[0]]?.querySelectorAll("button");
    const target = buttons?.[Math.min(column + steps[1], buttons.length - 1)];
    if (!target) return;
    event.preventDefault();
    target.focus();
    if (!current.audio.paused) target.click();
  });
  show();
})();
