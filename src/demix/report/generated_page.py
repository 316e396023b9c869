"""The listening page of generated songs: ten of them, each as a mixture and its four stems, switched at one moment."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demix.audio import write
from demix.config import SAMPLE_RATE, STEMS
from demix.errors import DemixError
from demix.generate.song_files import RECORD_FILE, read_songs
from demix.report.listening import FOLDER, read_stem, write_listening_page

SONGS = 10
SECONDS = 40.0  # of an excerpt
WIDTH, HEIGHT = 160, 14  # of the picture: steps of time, height of a stem's line
RANGE_DB = (-42.0, -8.0)  # dBFS; of the picture


def write_page(out: Path) -> Path:
    """Write `index.html` and the sounds it plays into a folder of generated songs.

    Sounds that are there are kept unless their song has been made anew since.

    Args:
        out: with `train/<song>/{song.json,<stem>.flac}`.

    Returns:
        The path of the page.

    Raises:
        DemixError: when the folder has no generated songs, a stem cannot be read, or the page cannot be written.
    """
    songs = list(read_songs(out).items())
    if not songs:
        raise DemixError(f"{out}: expected a folder of generated songs, found none; run `demix data generate`")
    places = np.linspace(0, len(songs) - 1, min(SONGS, len(songs))).round().astype(int)
    sections = [_section(out, *songs[place]) for place in places]
    minutes = sum(float(record["seconds"]) for _, record in songs) / 60
    return write_listening_page(
        out,
        "generated.html",
        settings=escape(f"{len(songs)} songs, {minutes:.0f} minutes"),
        heading=f"{_count(len(sections))} of the songs" if len(sections) < len(songs) else "The songs",
        songs="\n".join(sections),
    )


def draw_levels(stems: Mapping[str, npt.NDArray[np.float32]], *, text: str) -> str:
    """Draw how loud every stem is from step to step: a line of bars for each, in the order of `STEMS`.

    Args:
        stems: `(2, samples)` by name.
        text: what the picture shows, for those who cannot see it.
    """
    bars = []
    for place, stem in enumerate(STEMS):
        wave = stems[stem]
        size = wave.shape[1] // WIDTH
        power = np.square(wave[:, : size * WIDTH].reshape(2, WIDTH, size)).mean(axis=(0, 2))
        low, high = RANGE_DB
        heights = np.clip((10 * np.log10(power + 1e-12) - low) / (high - low), 0, 1) * (HEIGHT - 2)
        bottom = (place + 1) * HEIGHT
        bars += [
            f'<path class="stem-{stem}" d="'
            + "".join(
                f"M{step} {bottom}v-{height:.1f}h.8v{height:.1f}z" for step, height in enumerate(heights) if height
            )
            + '"/>'
        ]
    whole = HEIGHT * len(STEMS)
    return (
        f'<svg class="pattern" viewBox="0 0 {WIDTH} {whole}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(text)}">{"".join(bars)}'
        f'<rect class="now" x="0" y="0" width="1" height="{whole}" hidden/></svg>'
    )


def _section(out: Path, folder: Path, record: Mapping[str, Any]) -> str:
    sounds = ("mixture", *STEMS)
    paths = {sound: out / FOLDER / f"{folder.name}-{sound}.mp3" for sound in sounds}
    stems, start = _excerpt(folder)
    waves = {"mixture": np.sum(list(stems.values()), axis=0), **stems}
    made = (folder / RECORD_FILE).stat().st_mtime
    for sound, path in paths.items():
        if not path.is_file() or path.stat().st_mtime < made:  # a song of other singers may have had its name
            write(path, waves[sound], sample_rate=SAMPLE_RATE)
    title = escape(folder.name)
    players = ", ".join(f"{name} ({program})" for name, program in record["programs"].items())
    links = "".join(
        f'<a class="sound" href="{FOLDER}/{escape(path.name)}" aria-label="{sound}, {title}">'
        f"{'' if sound == 'mixture' else f'<i class={chr(34)}dot stem-{sound}{chr(34)}></i>'}{sound.capitalize()}</a>"
        for sound, path in paths.items()
    )
    picture = draw_levels(stems, text="Level of vocals, drums, bass and other over the excerpt")
    return (
        f'<section aria-labelledby="{title}"><h2 id="{title}">{escape(str(record["style"]).capitalize())}</h2>\n'
        f'<p class="note">{title}: {float(record["bpm"]):.0f} beats a minute, key of {escape(str(record["tonic"]))}, '
        f"{float(record['seconds']):.0f} s, heard from second {start:.0f} on. {escape(players)}.</p>\n"
        f'<article class="song">{picture}<div class="sounds">{links}</div></article>\n</section>'
    )


def _excerpt(folder: Path) -> tuple[dict[str, npt.NDArray[np.float32]], float]:
    """Return the stretch of a song in which most stems sound most of the time, and its start in seconds."""
    stems = {}
    for stem in STEMS:
        path = folder / f"{stem}.flac"
        if path.is_file():
            stems[stem], _ = read_stem(path, remedy="remove the song and generate again")
    length = max((wave.shape[1] for wave in stems.values()), default=SAMPLE_RATE)
    whole = {stem: stems.get(stem, np.zeros((2, length), np.float32)) for stem in STEMS}
    seconds = length // SAMPLE_RATE
    sounding = np.sum(
        [
            np.abs(wave[:, : seconds * SAMPLE_RATE]).reshape(2, seconds, -1).max((0, 2)) > 0.01
            for wave in whole.values()
        ],
        axis=0,
    )
    size = min(seconds, round(SECONDS))
    sums = np.convolve(sounding, np.ones(size), "valid")
    start = int(np.argmax(sums))
    return {stem: wave[:, start * SAMPLE_RATE : (start + size) * SAMPLE_RATE] for stem, wave in whole.items()}, float(
        start
    )


def _count(number: int) -> str:
    words = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"]
    return words[number - 1]
