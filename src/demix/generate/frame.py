"""What all players of a song share, and which patterns suit it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demix.generate.events import Bar, chance, pick
from demix.generate.grooves import Groove
from demix.generate.harmony import PENTATONIC
from demix.generate.perform import Clock
from demix.generate.style import Style


@dataclass(frozen=True)
class Frame:
    """What all players of a song share.

    Args:
        style: of the song.
        bars: of the song.
        grooves: of the drums, for the themes `a`, `b` and `c`.
        clock: tempo and swing.
        tonic: pitch class of the key.
        scale: semitones above it.
        mode: name of the scale.
        thirds: beats are divided by three.
        extreme: a key of `compose.EXTREMES`.
    """

    style: Style
    bars: Sequence[Bar]
    grooves: tuple[Groove, Groove, Groove]
    clock: Clock
    tonic: int
    scale: tuple[int, ...]
    mode: str
    thirds: bool
    extreme: str

    @property
    def beats(self) -> int:
        """Quarter notes in a bar."""
        return self.bars[0].beats

    def fits(self, pattern: str, per_second: float) -> bool:
        """Whether a pattern suits the division of beats and is not faster than some notes a second."""
        lines = pattern.split("|")
        struck = [[number for number, letter in enumerate(line) if letter not in ".-"] for line in lines]
        rate = max(len(each) / 4 for each in struck) * self.clock.bpm / 60
        if any(len(line) == 12 for line in lines):
            return self.thirds and rate <= per_second
        swung = self.clock.swing > 0.55 and self.clock.pair == 1.0
        grid = 4 if self.thirds else 2 if swung else 1
        return rate <= per_second and all(
            number * 16 // len(line) % grid == 0 for line, each in zip(lines, struck, strict=True) for number in each
        )

    def choose(self, patterns: Sequence[str], per_second: float, otherwise: str, rng: np.random.Generator) -> str:
        """Draw one of the patterns that fit, or take the other."""
        return pick(rng, [pattern for pattern in patterns if self.fits(pattern, per_second)] or [otherwise])

    def draw_themes(self, rng: np.random.Generator) -> list[int]:
        """For each bar one of a player's three patterns: the theme's, or another now and then when it comes again."""
        often = rng.uniform(0.0, 0.25)
        seen: set[str] = set()
        chosen: dict[int, int] = {}
        for bar in self.bars:
            if bar.section not in chosen:
                changed = bar.theme in seen and chance(rng, often)
                chosen[bar.section] = int(rng.integers(3)) if changed else "abc".index(bar.theme)
                seen.add(bar.theme)
        return [chosen[bar.section] for bar in self.bars]

    def pitch_classes(self, rng: np.random.Generator, pentatonic: float) -> tuple[int, ...]:
        """The scale's pitch classes, or with some probability only those of its pentatonic scale."""
        steps = PENTATONIC[self.mode] if chance(rng, pentatonic) else self.scale
        return tuple(sorted((self.tonic + step) % 12 for step in steps))
