"""Kick drums of machines: a sine that falls, as long as its decay, with a click in front.

In electronic songs they ring as long as a bass note and lie where a bass lies; nets that have only met acoustic kicks
and short samples take them for the bass (docs/search.md, "The wall").
"""

from dataclasses import dataclass

import numpy as np

from demix.config import SAMPLE_RATE
from demix.generate.effects import Wave

CLICK_SECONDS = 0.004
LONGEST_SECONDS = 1.6
END_SECONDS = 0.15  # faded at the end: a driven kick still rings there


@dataclass(frozen=True)
class MachineKick:
    """The sound of a machine's kick drum.

    Args:
        hertz: where the sine ends.
        drop: octaves by which it starts higher.
        drop_seconds: in which it comes down by a factor of e.
        decay_seconds: in which the level falls by a factor of e.
        click: level of the noise in front.
        drive: how far the sine is bent, 0 for not at all.
    """

    hertz: float
    drop: float
    drop_seconds: float
    decay_seconds: float
    click: float
    drive: float

    def play(self) -> Wave:
        """Return one hit `(1, samples)`."""
        samples = round(min(LONGEST_SECONDS, 6 * self.decay_seconds) * SAMPLE_RATE)
        times = np.arange(samples) / SAMPLE_RATE
        cycles = np.cumsum(self.hertz * 2 ** (self.drop * np.exp(-times / self.drop_seconds))) / SAMPLE_RATE
        wave = np.sin(2 * np.pi * cycles) * np.exp(-times / self.decay_seconds)
        if self.drive:
            wave = np.tanh((1 + self.drive) * wave) / np.tanh(1 + self.drive)
        noise = np.random.default_rng(round(self.hertz * 1000)).normal(size=samples)
        wave += self.click * noise * np.exp(-times / CLICK_SECONDS)
        wave *= np.minimum(1, (samples - 1 - np.arange(samples)) / (END_SECONDS * SAMPLE_RATE))
        return wave.astype(np.float32)[None]


def draw_machine_kick(rng: np.random.Generator) -> MachineKick:
    """Draw a kick: short and hard to long and deep."""
    return MachineKick(
        hertz=float(np.exp(rng.uniform(*np.log((36.0, 66.0))))),
        drop=float(rng.uniform(0.8, 3.5)),
        drop_seconds=float(np.exp(rng.uniform(*np.log((0.008, 0.06))))),
        decay_seconds=float(np.exp(rng.uniform(*np.log((0.06, 0.45))))),
        click=float(rng.uniform(0, 0.5)),
        drive=float(rng.uniform(0.5, 4)) if rng.random() < 0.5 else 0.0,
    )
