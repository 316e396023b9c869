"""The form of a song: which sections, how long, how loud, and what chords their bars have."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from demix.generate.events import Bar, Span, pick
from demix.generate.harmony import read_chord

SHORTEST_SECONDS, LONGEST_SECONDS = 92.0, 234.0  # of the bars; the ring-out comes on top
FORMS = {
    "pop": "intro verse chorus verse chorus bridge chorus outro",
    "solo": "intro verse chorus verse chorus solo chorus outro",
    "straight": "verse chorus verse chorus bridge chorus chorus",
    "riff": "intro verse chorus verse chorus break solo chorus outro",
    "aaba": "intro verse verse bridge verse solo bridge verse outro",
    "strophic": "intro verse verse solo verse bridge verse outro",
    "jam": "intro verse chorus solo verse solo chorus outro",
    "club": "intro verse build chorus break build chorus outro",
    "drop": "intro break build chorus verse break build chorus outro",
    "loop": "intro verse chorus verse break chorus verse outro",
}
THEMES = {"verse": "a", "chorus": "b", "bridge": "c", "build": "a", "break": "b"}
# Energy: from, to.
ENERGIES = {
    "intro": (0.2, 0.75),
    "verse": (0.45, 0.75),
    "chorus": (0.8, 1.0),
    "bridge": (0.35, 0.85),
    "solo": (0.7, 1.0),
    "break": (0.1, 0.45),
    "build": (0.5, 0.8),
    "outro": (0.3, 0.95),
}
SMALL = ("intro", "outro", "break", "build")  # sections that are short


class Stretch(NamedTuple):
    """A section in bars: its name, theme, length and energy."""

    name: str
    theme: str
    bars: int
    energy: float


@dataclass
class _Row:
    name: str
    theme: str
    unit: int
    rounds: int

    @property
    def bars(self) -> int:
        return self.unit * self.rounds


def draw_form(form: str, loops: Mapping[str, str], bar_seconds: float, rng: np.random.Generator) -> tuple[Stretch, ...]:
    """Draw the sections of a song that is neither too short nor too long.

    Args:
        form: a key of `FORMS`.
        loops: progression by theme; sections last whole rounds of theirs.
        bar_seconds: length of a bar.
        rng: what draws.
    """
    names = FORMS[form].split()
    shared = {name: pick(rng, "ab") for name in ("intro", "outro", "solo", "break")}
    units = {theme: max(4, len(loop.split())) for theme, loop in loops.items()}
    rows = []
    for name in names:
        theme = shared.get(name, THEMES.get(name, "a"))
        unit = 4 if name in SMALL and units[theme] != 8 else units[theme]
        rows.append(_Row(name, theme, unit, 1 if name in SMALL or unit > 4 else 2))
    goal = rng.uniform(SHORTEST_SECONDS + 8, LONGEST_SECONDS - 12) / bar_seconds
    while sum(row.bars for row in rows) < goal:
        row = min(
            (row for row in rows if row.name not in SMALL or row.bars < 8), key=lambda each: (each.bars, rng.random())
        )
        if row.bars < 16:
            row.rounds += 1
        else:  # every section is long: the middle comes again
            rows[len(rows) // 2 : len(rows) // 2] = [replace(each) for each in rows[1:3]]
    longest = min(goal * 1.15, LONGEST_SECONDS / bar_seconds)
    while sum(row.bars for row in rows) > longest:
        row = max(reversed(rows), key=lambda each: each.bars)
        left = sum(each.bars for each in rows) - rows[-3].bars
        if row.rounds > 1:
            row.rounds -= 1
        elif len(rows) > 4 and left * bar_seconds > SHORTEST_SECONDS:
            del rows[-3]
        else:
            break
    energies = draw_energies([row.name for row in rows], rng)
    return tuple(Stretch(row.name, row.theme, row.bars, energy) for row, energy in zip(rows, energies, strict=True))


def draw_energies(names: list[str], rng: np.random.Generator) -> list[float]:
    """Draw an energy for each section; what comes again comes a little louder."""
    first = {name: float(rng.uniform(*ENERGIES[name])) for name in ENERGIES}
    counts: dict[str, int] = {}
    energies = []
    for name in names:
        again = counts.get(name, 0)
        counts[name] = again + 1
        energies.append(min(1.0, first[name] + 0.07 * again))
    return energies


def write_bars(form: tuple[Stretch, ...], loops: Mapping[str, str], tonic: int, beats: int) -> list[Bar]:
    """Write out a form bar by bar, with chords; the last bar ends on the tonic chord."""
    rows = []
    for section, stretch in enumerate(form):
        loop = [[read_chord(numeral, tonic) for numeral in bar.split(",")] for bar in loops[stretch.theme].split()]
        shift = -stretch.bars if len(loop) > stretch.bars else 0  # a short section is a long loop's turnaround
        rows += [(section, stretch, place, loop[(place + shift) % len(loop)]) for place in range(stretch.bars)]
    final = read_chord(loops["a"].split()[0].split(",")[0], tonic)
    if final.root == tonic:
        rows[-1] = (*rows[-1][:3], [final])
    bars = []
    for number, (section, stretch, place, chords) in enumerate(rows):
        lengths = [beats] if len(chords) == 1 else [(beats + 1) // 2, beats // 2]
        starts = [0, lengths[0]]
        spans = tuple(Span(*each) for each in zip(starts, lengths, chords, strict=False))
        after = rows[(number + 1) % len(rows)][3][0]
        last = number == len(rows) - 1
        bars.append(
            Bar(
                number * beats,
                beats,
                section,
                stretch.name,
                stretch.theme,
                place,
                stretch.bars,
                stretch.energy,
                spans,
                after,
                last,
            )
        )
    return bars
