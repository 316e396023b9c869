"""A results folder in memory: what training and evaluation wrote down, checked once, and the intervals from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demix.evaluation.statistics import BLOCK_SECONDS, Difference
from demix.report.history import History

METRICS = ("sdr", "sdr_bsseval")


@dataclass(frozen=True)
class System:
    """One row of the comparison: a net, trained once or with several seeds, or a baseline.

    Args:
        name: its group's name; its name in the CSV files where it stands alone.
        label: its name for readers.
        is_net: whether it was trained.
        colour: name of its CSS colour, the same in every plot and table.
        facts: what results.json says about its first run (parameters, ...); training_seconds and realtime_factor are
            means over its runs.
        runs: names of its runs in the CSV files, in the order in which nets are paired.
    """

    name: str
    label: str
    is_net: bool
    colour: str
    facts: Mapping[str, Any]
    runs: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        """How many times it was trained."""
        return max(1, len(self.runs))

    @property
    def first_run(self) -> str:
        """The run that lends the excerpt, which is kept of one training only."""
        return self.runs[0] if self.runs else self.name

    def number(self, key: str) -> float | None:
        """Return a fact as a number, None where it is not known."""
        value = self.facts.get(key)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Silence:
    """A stem that is silent over a whole song, and how loud a system's estimate of it is."""

    track: str
    stem: str
    system: str
    level_dbfs: float


@dataclass(frozen=True)
class Results:
    """Everything that the report tells.

    Args:
        folder: the results folder.
        facts: results.json.
        systems: in the order of results.json.
        stems: the stems that have a score, in the order of `STEMS`.
        scores: metric -> system -> stem or `mean` -> dB; what has no score is not there.
        songs: metric -> system -> song -> stem or `mean` -> dB, mean over seeds; what has no score is not there.
        run_scores: metric -> single run -> stem or `mean` -> dB: the seeds one by one.
        silences: stems without a score, because they are silent.
        differences: metric -> `mean` or stem -> how far the second net is ahead of the first; empty with fewer
            than two nets.
        histories: net -> its trainings, one a run.
        counted_seconds: stem -> seconds that enter `sdr_bsseval`.
    """

    folder: Path
    facts: Mapping[str, Any]
    systems: tuple[System, ...]
    stems: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    silences: tuple[Silence, ...]
    differences: Mapping[str, Mapping[str, Difference]]
    histories: Mapping[str, tuple[History, ...]]
    counted_seconds: Mapping[str, int]
    songs: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]] = field(default_factory=dict)
    run_scores: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    @property
    def nets(self) -> tuple[System, ...]:
        """The systems that were trained."""
        return tuple(system for system in self.systems if system.is_net)

    @property
    def test_songs(self) -> tuple[str, ...]:
        """Names of the songs that the scores are about."""
        return tuple(self.facts["dataset"]["test"])

    @property
    def song_kind(self) -> str:
        """What the scored songs are to the nets: `test song`, or `training song`, `validation song`."""
        kinds = {"train": "training song", "valid": "validation song"}
        return kinds.get(str(self.facts.get("split", "test")), "test song")

    @property
    def test_seconds(self) -> float:
        """Length of these songs together."""
        return 60.0 * float(self.facts["dataset"]["test_minutes"])

    @property
    def seeds(self) -> int:
        """How many times each net was trained; where they differ, the one that was trained least."""
        if any(net.runs for net in self.nets):
            return min(net.seeds for net in self.nets)
        return int(self.facts.get("seeds", 1))

    def score(self, metric: str, system: str, stem: str = "mean") -> float | None:
        """Return one score in dB, None where it is undefined or the system is not there."""
        return self.scores[metric].get(system, {}).get(stem)

    def difference(self, metric: str, stem: str = "mean") -> Difference | None:
        """Return how far the second net is ahead of the first, None where that is undefined."""
        difference = self.differences.get(metric, {}).get(stem)
        return None if difference is None or math.isnan(difference.difference_db) else difference

    def comparisons(self, metric: str) -> list[Difference]:
        """Return the defined differences by one metric, the mean over the stems first."""
        return [row for stem in ("mean", *self.stems) if (row := self.difference(metric, stem)) is not None]


def excludes_zero(difference: Difference) -> bool:
    """Tell whether the whole interval lies on one side of zero; False where there is none."""
    return difference.low_db > 0 or difference.high_db < 0


def resampled(difference: Difference) -> str:
    """Say what the bootstrap drew: `9 blocks of 10 s or more`, `50 songs`."""
    unit = difference.unit.removesuffix("s") if difference.units == 1 else difference.unit
    return f"{difference.units} {unit}" + (f" of {BLOCK_SECONDS} s" if difference.unit == "blocks" else "")
