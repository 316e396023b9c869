"""The listening page of loop songs: see and hear that only the order of the hits differs."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from demix.audio import write
from demix.errors import DemixError
from demix.report.listening import FOLDER, read_stem, write_listening_page

SOUNDS = ("drums", "mixture")
NAMES = ("low", "mid", "high", "high, another")  # of the hits 0, 1, 2, 3
HEIGHTS = (1.0, 0.72, 0.44, 0.44)  # of a cell; nothing depends on seeing colours
WIDTH, HEIGHT, GAP = 28, 12, 2  # of a cell of the picture
MOST_ROWS = 40  # repetitions drawn; a longer song goes on in the same way
TITLES = {
    "exact": ("Exact", "one loop all through"),
    "varied": ("Varied", "each time a few hits exchanged"),
    "never": ("Never", "each time another order"),
}


def write_page(folder: Path) -> Path:
    """Write `index.html` and the sounds it plays into a folder that `demix.data.loops.write_loops` made.

    One row for each base, with its three songs: a picture of the pattern (a line for each repetition, a column for each
    step) and the drums alone and the mixture to listen to. Sounds that are there are kept.

    Args:
        folder: with `loops.json` and `test/<song>/<stem>.flac`.

    Returns:
        The path of the page.

    Raises:
        DemixError: when the folder is not one of loop songs, or cannot be written to.
    """
    try:
        record = json.loads((folder / "loops.json").read_text(encoding="utf-8"))
        settings, bases = record["made_from"]["settings"], record["bases"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DemixError(f"{folder}: expected a folder of loop songs ({error}); run `demix data loops`") from error
    for base in bases:
        for condition in base["patterns"]:
            _write_sounds(folder, f"{base['base']}-{condition}")
    return write_listening_page(
        folder,
        "loops.html",
        settings=escape(
            f"{len(bases)} bases of {settings['seconds']:g} s, loops of {settings['loop_seconds']:g} s in "
            f"{settings['steps']} steps, seed {settings['seed']}"
        ),
        legend="\n".join(_legend(number) for number in range(len(NAMES))),
        bases="\n".join(_section(base) for base in bases),
    )


def draw_pattern(pattern: Sequence[Sequence[int]], *, text: str) -> str:
    """Draw which hit is played when: a line for each repetition, a column for each step.

    Args:
        pattern: `(repetitions, steps)`; numbers of hits, negative is a rest.
        text: what the picture shows, for those who cannot see it.
    """
    rows = pattern[:MOST_ROWS]
    size = f"{len(rows[0]) * WIDTH} {len(rows) * HEIGHT}"
    bars = [
        _bar(hit, x=step * WIDTH, y=line * HEIGHT)
        for line, row in enumerate(rows)
        for step, hit in enumerate(row)
        if hit >= 0
    ]
    return (
        f'<svg class="pattern" viewBox="0 0 {size}" preserveAspectRatio="none" role="img" aria-label="{escape(text)}">'
        f"{''.join(bars)}"
        f'<rect class="now" x="0" y="0" width="{len(rows[0]) * WIDTH}" height="{HEIGHT}" hidden/></svg>'
    )


def _bar(hit: int, *, x: int, y: int) -> str:
    height = (HEIGHT - GAP) * HEIGHTS[hit]
    top = y + (HEIGHT - GAP / 2) - height
    return f'<rect class="hit-{hit}" x="{x + 1}" y="{top:.1f}" width="{WIDTH - GAP}" height="{height:.1f}"/>'


def _legend(hit: int) -> str:
    picture = f'<svg class="key" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{_bar(hit, x=0, y=0)}</svg>'
    return f"<li>{picture}{NAMES[hit]}</li>"


def _section(base: Mapping[str, Any]) -> str:
    songs = "\n".join(_song(base, condition) for condition in base["patterns"])
    hits = ", ".join(f"{hit['kind']} at {hit['at_seconds']:.1f} s" for hit in base["hits"])
    turned = f", all turned down by {-base['gain_db']:.1f} dB" if base["gain_db"] < 0 else ""
    title = escape(str(base["base"]))
    return (
        f'<section aria-labelledby="{title}-title">\n<h2 id="{title}-title">{title}</h2>\n'
        f'<p class="note">Vocals, bass and other from second {base["start_seconds"]:.0f} of '
        f"{escape(str(base['song']))} on; hits: {escape(hits)}{turned}.</p>\n"
        f'<div class="songs">\n{songs}\n</div>\n</section>'
    )


def _song(base: Mapping[str, Any], condition: str) -> str:
    title, meaning = TITLES[condition]
    pattern = base["patterns"][condition]
    different = len({tuple(loop) for loop in pattern})
    count = f"{different} different loops" if different > 1 else f"{len(pattern)} times"
    name = f"{base['base']}-{condition}"
    links = "".join(
        f'<a class="sound" href="{FOLDER}/{escape(name)}-{sound}.mp3" '
        f'aria-label="{sound}, {title.lower()}, {escape(str(base["base"]))}">{sound.capitalize()}</a>'
        for sound in SOUNDS
    )
    picture = draw_pattern(pattern, text=f"{title}: {meaning}; {count}")
    return (
        f'<article class="song" data-loops="{len(pattern)}"><h3>{title}</h3><p class="note">{meaning}; {count}</p>'
        f'{picture}<div class="sounds">{links}</div></article>'
    )


def _write_sounds(folder: Path, name: str) -> None:
    """Write the MP3 files of one song that are not there yet."""
    missing = [sound for sound in SOUNDS if not (folder / FOLDER / f"{name}-{sound}.mp3").is_file()]
    if not missing:
        return
    stems = {}
    for path in sorted((folder / "test" / name).glob("*.flac")):
        stems[path.stem], rate = read_stem(path, remedy="make the songs again")
    if "drums" not in stems:
        raise DemixError(f"{folder / 'test' / name}: expected a loop song with drums, found none; make the songs again")
    waveforms = {"drums": stems["drums"], "mixture": np.sum(list(stems.values()), axis=0)}
    for sound in missing:
        write(folder / FOLDER / f"{name}-{sound}.mp3", waveforms[sound], sample_rate=rate)
