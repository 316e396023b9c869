"""The controls' folder: variants of the nets beside the plain ones, all trained under one shorter budget."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demix.errors import DemixError
from demix.evaluation.scores import ScoreRow, read_scores, read_seconds, summarise
from demix.evaluation.statistics import Difference, paired_differences
from demix.report.pool import Group, group_entries, pairs_of_seeds
from demix.report.spread import Estimate

ENTRY = ("name", "kind", "label")


@dataclass(frozen=True)
class Control:
    """One variant, or one plain net.

    Args:
        group: its runs and their facts.
        of: name of the plain group that it varies; its own for a plain net.
        aspect: what is varied.
        sdr: its mean `sdr` over stems, songs and seeds in dB.
        differences: stem or `mean` -> how far it is ahead of its plain net; empty for a plain net.
    """

    group: Group
    of: str
    aspect: str
    sdr: float
    differences: Mapping[str, Difference]

    @property
    def label(self) -> str:
        """Its name for readers."""
        return str(self.group.facts["label"])

    @property
    def estimate(self) -> Estimate:
        """How far its mean is ahead of its plain net's."""
        mean = self.differences["mean"]
        return Estimate(mean.difference_db, mean.low_db, mean.high_db, mean.songs)

    def number(self, key: str) -> float | None:
        """Return a fact as a number, None where it is not known."""
        value = self.group.facts.get(key)
        return None if value is None else float(value)


def read_entries(folder: Path) -> list[Mapping[str, Any]]:
    """Return what a folder's results.json says about its nets.

    Raises:
        DemixError: when the file is missing, or lacks what the report needs to know of a system.
    """
    path = folder / "results.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["systems"]
        nets = [entry for entry in entries if entry["kind"] == "net"]
        missing = [key for entry in nets for key in ENTRY if key not in entry]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DemixError(f"{path}: expected a results.json that lists systems, received {error!r}; run it again") from error
    if missing or not nets:
        raise DemixError(f"{path}: expected nets with {', '.join(ENTRY)}, received one without; run it again")
    return nets


def read_controls(folder: Path) -> list[Control]:
    """Read a folder of controls and compare each with its plain net; an empty list where there is none.

    Raises:
        DemixError: when a file in it is not what evaluation writes, or a control's plain net is missing.
    """
    if not folder.is_dir():
        return []
    groups = group_entries(read_entries(folder))
    scores, seconds = read_scores(folder / "scores.csv"), read_seconds(folder / "seconds.csv")
    by_name = {group.name: group for group in groups}
    controls = []
    for group in groups:
        of = str(group.facts.get("of", group.name))
        if of not in by_name:
            raise DemixError(f"{folder}: expected the plain net {of} beside {group.name}, received none; train it too")
        differences = {}
        if of != group.name:
            first, second = pairs_of_seeds(group.entries, by_name[of].entries)
            differences = paired_differences(seconds, first, second)
        aspect = str(group.facts.get("aspect", "other"))
        controls.append(Control(group, of, aspect, _mean_sdr(scores, group.runs), differences))
    return controls


def _mean_sdr(scores: Sequence[ScoreRow], runs: Sequence[str]) -> float:
    summary = summarise([row for row in scores if row.system in runs], "sdr")
    return float(np.mean([of_stems["mean"] for of_stems in summary.values()])) if summary else float("nan")
