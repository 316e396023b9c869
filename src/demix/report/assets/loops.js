// One sound plays at a time; switching within a base keeps the position, so that the same moment is compared.
// Without this script every button is a link to its file.
(() => {
  const audio = new Audio();
  let current = null;

  const lineOf = (link) => link.closest(".song").querySelector(".now");
  const show = () => {
    const playing = current && !audio.paused;
    for (const link of document.querySelectorAll(".sound")) {
      link.setAttribute("aria-pressed", String(Boolean(playing && link === current)));
    }
    if (!current) return;
    const song = current.closest(".song");
    const line = lineOf(current);
    const share = audio.currentTime / (audio.duration || Infinity);
    if (song.dataset.loops) {
      line.setAttribute("y", Math.floor(share * Number(song.dataset.loops)) * Number(line.getAttribute("height")));
    } else {
      line.setAttribute("x", share * line.ownerSVGElement.viewBox.baseVal.width);
    }
    line.toggleAttribute("hidden", !audio.currentTime);
  };
  const follow = () => {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const play = async (link) => {
    const before = current;
    const position = before && before.closest("section") === link.closest("section") ? audio.currentTime : 0;
    if (before) lineOf(before).toggleAttribute("hidden", true);
    current = link;
    if (before !== link) {
      audio.src = link.href;
      audio.currentTime = position;
    }
    try {
      await audio.play();
      follow();
    } catch (error) {
      if (error.name !== "AbortError") link.textContent = `cannot play: ${error.message}`;
    }
  };

  for (const link of document.querySelectorAll(".sound")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-pressed", "false");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (link === current && !audio.paused) audio.pause();
      else play(link);
    });
    link.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    });
  }
  audio.addEventListener("pause", show);
  audio.addEventListener("ended", show);
})();
