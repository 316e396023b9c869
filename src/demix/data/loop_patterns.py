"""Drum patterns that repeat exactly, with variations, or never, from the very same hits.

A loop has a fixed number of steps; each holds one hit or a rest. Whatever the condition, every loop of a song holds the
same hits equally often, so density, level and long-term spectrum are equal and only the order differs. The loop in the
middle is the same in all conditions: there the songs sound alike, and only what surrounds it differs.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.errors import DemixError

Pattern = npt.NDArray[np.intp]

CONDITIONS = ("exact", "varied", "never")
REST = -1
KINDS = ("low", "mid", "high", "high")  # of the hits 0, 1, 2, 3: a kick, a snare, two cymbals
LEAST_STEP_SECONDS = 0.06  # a shorter piece of a drum is a click


@dataclass(frozen=True)
class Loops:
    """How counterfactual loop songs are made.

    A net knows nothing beyond its segment (2.95 s by default) but what its chunks see, so a loop has to repeat inside
    one: of a loop of 1 s almost three repetitions are seen at once, of one of 4 s none. The middle loop is what
    `demix.evaluation.loops` scores; whatever segment it falls into, the song should fill it: hence 7 s.

    Args:
        seconds: length of a song; only whole loops are played. At least twice the nets' segments and a loop.
        loop_seconds: length of a loop; at most a third of the nets' segments is sensible.
        steps: of a loop, each as long as a hit may sound.
        bases: how many sets of hits with an accompaniment; each makes a song in every one of `CONDITIONS`. How hard a
            song is depends on which loop was drawn (a kick on a bass note); many short songs say more than few long.
        varied: share of a loop's steps that `varied` exchanges with one another, anew around the middle loop.
        seed: of the choice of hits and of all patterns.

    Raises:
        DemixError: for values that make no loops.
    """

    seconds: float = 7.0
    loop_seconds: float = 1.0
    steps: int = 8
    bases: int = 24
    varied: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bases < 1 or self.seed < 0:
            raise DemixError(f"loops: expected a base and a seed from 0 on, received {self.bases} and {self.seed}")
        if self.steps < 4 or not self.loop_seconds / self.steps >= LEAST_STEP_SECONDS:
            raise DemixError(
                f"loops: expected at least 4 steps of at least {LEAST_STEP_SECONDS} s, received {self.steps} steps in "
                f"{self.loop_seconds} s; choose a longer loop or fewer steps"
            )
        if not 0 < self.varied <= 1:
            raise DemixError(f"loops: expected a share of hits to exchange from 0 to 1, received {self.varied}")
        if not 3 * self.loop_seconds <= self.seconds < math.inf:
            raise DemixError(
                f"loops: expected songs of at least three loops of {self.loop_seconds} s, received {self.seconds} s; "
                "choose longer songs"
            )
        if self.repetitions > count_orders(self.hits):
            raise DemixError(
                f"loops: expected at most {count_orders(self.hits)} repetitions, for {self.steps} steps have no more "
                f"orders, received {self.repetitions}; choose shorter songs or more steps"
            )

    @property
    def loop_samples(self) -> int:
        """Length of a loop in samples."""
        return round(self.loop_seconds * SAMPLE_RATE)

    @property
    def hit_samples(self) -> int:
        """Length of a hit in samples: a step, rounded down."""
        return self.loop_samples // self.steps

    @property
    def repetitions(self) -> int:
        """How many loops a song has."""
        return int(self.seconds / self.loop_seconds + 1e-9)

    @property
    def samples(self) -> int:
        """Length of a song in samples."""
        return self.repetitions * self.loop_samples

    @property
    def middle(self) -> int:
        """Which repetition is the same loop in all conditions."""
        return self.repetitions // 2

    @property
    def hits(self) -> Pattern:
        """What every loop holds, in no order: the numbers of hits (see `KINDS`) and `REST`, `(steps,)`."""
        quarter, rests = self.steps // 4, self.steps // 8
        cymbals = self.steps - 2 * quarter - rests
        counts = (quarter, quarter, cymbals - cymbals // 2, cymbals // 2, rests)
        return np.repeat(np.array([*range(len(KINDS)), REST]), counts)


def count_orders(hits: Pattern) -> int:
    """Return in how many different orders the hits can be played."""
    return math.factorial(len(hits)) // math.prod(math.factorial(count) for count in Counter(hits.tolist()).values())


def draw_patterns(settings: Loops, rng: np.random.Generator) -> dict[str, Pattern]:
    """Draw what one base plays in every condition.

    All orders of the hits are equally likely in all conditions: `exact` repeats the middle loop of `never`. A loop made
    to sound well would be more regular than what it is compared with.

    Args:
        settings: how many steps and repetitions.
        rng: where chance comes from.

    Returns:
        `{condition: (repetitions, steps)}`: which hit is played at which step. In `never` no loop occurs twice.
    """
    never: dict[tuple[int, ...], Pattern] = {}
    while len(never) < settings.repetitions:
        loop = rng.permutation(settings.hits)
        never.setdefault(tuple(loop.tolist()), loop)
    loops = np.stack(list(never.values()))
    loop = loops[settings.middle]
    varied = np.stack([_exchange(loop, settings.varied, rng) for _ in loops])
    varied[settings.middle] = loop
    return {"exact": np.stack([loop] * len(loops)), "varied": varied, "never": loops}


def _exchange(loop: Pattern, share: float, rng: np.random.Generator) -> Pattern:
    """Exchange the hits at a share of the steps, at least two, with one another; every one of them changes."""
    changed = max(2, round(share * len(loop)))
    while True:
        steps = rng.choice(len(loop), changed, replace=False)
        exchanged = loop.copy()
        exchanged[steps] = rng.permutation(loop[steps])
        if (exchanged[steps] != loop[steps]).all():
            return exchanged
