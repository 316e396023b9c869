"""Reading a results folder: every file checked once, so that the rest of the report can trust it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.scores import SILENT_LEVEL, ScoreRow, SecondRow, read_scores, read_seconds, summarise
from demix.evaluation.statistics import paired_differences
from demix.report.colours import colour_of
from demix.report.history import History, read_history
from demix.report.results import METRICS, Results, Silence, System

FACTS = ("name", "created", "version", "dataset", "systems")
DATASET_FACTS = ("name", "test", "train_minutes", "test_minutes")
SYSTEM_FACTS = ("name", "kind", "label")


def read_results(folder: Path) -> Results:
    """Read a results folder and compute what follows from it.

    Scores on the test songs are reported; where none were scored (`evaluate --split valid`), all rows are.

    Raises:
        DemixError: when it is not a results folder, or a file in it is not what evaluation writes.
    """
    facts = _read_facts(folder / "results.json")
    scores = read_scores(folder / "scores.csv")
    scores = [row for row in scores if row.split == "test"] or scores
    seconds = read_seconds(folder / "seconds.csv")
    songs = {row.track for row in scores}
    seconds = [row for row in seconds if row.track in songs]
    systems = _systems(facts, scores, folder / "scores.csv")
    stems = tuple(stem for stem in STEMS if any(_is_scored(row, stem) for row in scores))
    return Results(
        folder=folder,
        facts=facts,
        systems=systems,
        stems=stems,
        scores={metric: summarise(scores, metric) for metric in METRICS},
        silences=tuple(
            Silence(row.track, row.stem, row.system, row.value) for row in scores if row.metric == SILENT_LEVEL
        ),
        differences=_differences([system.name for system in systems if system.is_net], seconds),
        histories=_histories(folder, systems),
        counted_seconds=_counted(seconds, systems[0].name, stems),
    )


def _read_facts(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DemixError(
            f"{path.parent}: expected a results folder with a results.json, received {error}; run demix evaluate"
        ) from error
    if not isinstance(facts, dict):
        raise DemixError(f"{path}: expected a table of facts, received {type(facts).__name__}; evaluate again")
    _need(path, facts, FACTS)
    _need(path, facts["dataset"], DATASET_FACTS)
    for system in facts["systems"]:
        _need(path, system, SYSTEM_FACTS)
    if not facts["systems"]:
        raise DemixError(f"{path}: expected at least one system, received none; evaluate again")
    return facts


def _need(path: Path, facts: Mapping[str, Any], keys: Sequence[str]) -> None:
    missing = [key for key in keys if key not in facts]
    if missing:
        raise DemixError(f"{path}: expected {', '.join(missing)}, received only {', '.join(facts)}; evaluate again")


def _systems(facts: Mapping[str, Any], scores: Sequence[ScoreRow], path: Path) -> tuple[System, ...]:
    systems, nets = [], 0
    labels = [entry["label"] for entry in facts["systems"]]
    scored = {row.system for row in scores}
    for entry in facts["systems"]:
        if entry["name"] not in scored:
            raise DemixError(f"{path}: expected scores of {entry['name']}, received none; evaluate again")
        is_net = entry["kind"] == "net"
        colour = colour_of(entry["name"], net=nets if is_net else None)
        # Two runs of the same net carry the same label: their names tell them apart.
        label = entry["label"] if labels.count(entry["label"]) == 1 else f"{entry['label']} ({entry['name']})"
        systems.append(System(entry["name"], label, is_net, colour, entry))
        nets += is_net
    return tuple(systems)


def _is_scored(row: ScoreRow, stem: str) -> bool:
    return row.stem == stem and row.metric in METRICS and row.value == row.value


def _differences(nets: Sequence[str], seconds: Sequence[SecondRow]) -> dict[str, dict]:
    if len(nets) < 2:
        return {}
    return {metric: paired_differences(seconds, nets[1], nets[0], metric=metric) for metric in METRICS}


def _histories(folder: Path, systems: Sequence[System]) -> dict[str, History]:
    paths = {system.name: folder / f"history-{system.name}.csv" for system in systems if system.is_net}
    return {name: read_history(path) for name, path in paths.items() if path.is_file()}


def _counted(seconds: Sequence[SecondRow], system: str, stems: Sequence[str]) -> dict[str, int]:
    return {stem: sum(row.counted for row in seconds if (row.system, row.stem) == (system, stem)) for stem in stems}
