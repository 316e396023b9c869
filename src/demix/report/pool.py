"""Several trainings of one net, one a seed, pooled into one system.

Per song the mean over the seeds comes first, then the songs are condensed as the metric says: a net that was trained
three times is worth what one training of it can be expected to score, not what its luckiest one did.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demix.config import STEMS
from demix.evaluation.scores import ScoreRow
from demix.metrics import mean_of_defined

# Measured anew by every training; everything else is the same for all seeds of a group.
MEASURED = ("training_seconds", "realtime_factor")

Entry = Mapping[str, Any]
SongScores = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Args:
        name: the `group` that results.json says, the run's name where it stands alone.
        entries: what results.json says about each run; the k-th of two groups saw the same batches.
    """

    name: str
    entries: tuple[Entry, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs."""
        return tuple(str(entry["name"]) for entry in self.entries)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known about the first run, with the mean over all of what every training measures anew."""
        facts = dict(self.entries[0])
        for key in MEASURED:
            known = [float(entry[key]) for entry in self.entries if entry.get(key) is not None]
            if known:
                facts[key] = sum(known) / len(known)
        return facts


def group_entries(entries: Sequence[Entry]) -> list[Group]:
    """Gather the runs of each net, in the order of the first run of each.

    Runs that say their `group` are pooled by it, in the order of results.json. Of the others those are pooled whose
    configs differ only in `training.seed`, seeds ascending; a run without a config or a twin stands alone.
    """
    members: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        members.setdefault(_key(entry), []).append(entry)
    groups = []
    for (kind, key), runs in members.items():
        if kind == "group":
            groups.append(Group(key, tuple(runs)))
        elif len({entry.get("seed") for entry in runs}) == len(runs):
            groups.append(Group(_name_of(runs), tuple(sorted(runs, key=lambda entry: int(entry.get("seed", 0))))))
        else:  # the same training twice, as before and after a change of the code
            groups += [Group(str(entry["name"]), (entry,)) for entry in runs]
    return groups


def pool_scores(rows: Iterable[ScoreRow], groups: Iterable[Group]) -> list[ScoreRow]:
    """Return the mean over seeds of every score, under the names of the groups.

    Args:
        rows: rows of single runs; those of systems that are in no group are left out.
        groups: which runs belong together.

    Returns:
        One row per group, song, stem and metric. An undefined score enters no mean; the mean of none is NaN.
    """
    names = {run: group.name for group in groups for run in group.runs}
    values: dict[tuple[str, str, str, str, str], list[float]] = {}
    for row in rows:
        if row.system in names:
            key = names[row.system], row.track, row.split, row.stem, row.metric
            values.setdefault(key, []).append(row.value)
    return [ScoreRow(*key, value=float(mean_of_defined(np.array(seeds)))) for key, seeds in values.items()]


def song_scores(rows: Iterable[ScoreRow], metric: str) -> SongScores:
    """Return `system -> song -> stem or "mean" -> dB` by one metric; undefined scores are not there."""
    scores: SongScores = {}
    for row in rows:
        if row.metric == metric and row.value == row.value:
            scores.setdefault(row.system, {}).setdefault(row.track, {})[row.stem] = row.value
    for songs in scores.values():
        for stems in songs.values():
            stems["mean"] = float(np.mean([stems[stem] for stem in STEMS if stem in stems]))
    return scores


def pairs_of_seeds(first: Sequence[Entry], second: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Return the runs of two groups that are paired, in paired order.

    The k-th run of one is paired with the k-th of the other. Where one group has more runs, as while a sweep is still
    going on, those are paired that have a seed in common.
    """
    if len(first) != len(second):
        seeds = [entry.get("seed") for entry in first]
        theirs = {entry.get("seed"): entry for entry in second}
        first = [entry for entry, seed in zip(first, seeds, strict=True) if seed is not None and seed in theirs]
        second = [theirs[entry["seed"]] for entry in first]
    return [str(entry["name"]) for entry in first], [str(entry["name"]) for entry in second]


def _key(entry: Entry) -> tuple[str, str]:
    if entry.get("group"):
        return "group", str(entry["group"])
    config = entry.get("config")
    if not isinstance(config, Mapping) or "seed" not in config.get("training", {}):
        return "alone", str(entry["name"])
    rest = {**config, "training": {key: value for key, value in config["training"].items() if key != "seed"}}
    return "config", json.dumps(rest, sort_keys=True)


def _name_of(runs: Sequence[Entry]) -> str:
    """Name pooled runs by what their names share besides the seed, as `pilot-unet` for `pilot-unet-seed0` and so on."""
    names = [str(entry["name"]) for entry in runs]
    shared = {re.sub(r"[-_.]?seed[-_=]?\d+", "", name) for name in names}
    return shared.pop() if len(shared) == 1 and len(names) > 1 and shared != {""} else names[0]
