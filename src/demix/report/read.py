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
from demix.report.pool import Group, group_entries, pairs_of_seeds, pool_scores, song_scores
from demix.report.protocol import check_protocol
from demix.report.results import METRICS, Results, Silence, System

CONTROLS = "controls"  # results of variants, in a folder of their own inside that of the comparison
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
    of_runs = read_scores(folder / "scores.csv")
    of_runs = [row for row in of_runs if row.split == "test"] or of_runs
    seconds = read_seconds(folder / "seconds.csv")
    songs = {row.track for row in of_runs}
    seconds = [row for row in seconds if row.track in songs]
    groups = group_entries(facts["systems"])
    _need_scores(groups, of_runs, folder / "scores.csv")
    systems = _systems(groups)
    scores = pool_scores(of_runs, groups)
    stems = tuple(stem for stem in STEMS if any(_is_scored(row, stem) for row in scores))
    return Results(
        folder=folder,
        facts=facts,
        systems=systems,
        stems=stems,
        scores={metric: summarise(scores, metric) for metric in METRICS},
        songs={metric: song_scores(scores, metric) for metric in METRICS},
        run_scores={metric: summarise(of_runs, metric) for metric in METRICS},
        silences=tuple(
            Silence(row.track, row.stem, row.system, row.value) for row in scores if row.metric == SILENT_LEVEL
        ),
        differences=_differences([group for group in groups if group.entries[0]["kind"] == "net"], seconds),
        histories=_histories(folder, systems),
        counted_seconds=_counted(seconds, systems[0].first_run, stems),
    )


def read_controls(results: Results) -> Results | None:
    """Read the variants that were trained beside the two nets, None where there are none.

    Raises:
        DemixError: when their folder is spoilt.
    """
    folder = results.folder / CONTROLS
    return read_results(folder) if (folder / "results.json").is_file() else None


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
    check_protocol(path, facts)
    if not facts["systems"]:
        raise DemixError(f"{path}: expected at least one system, received none; evaluate again")
    return facts


def _need(path: Path, facts: Mapping[str, Any], keys: Sequence[str]) -> None:
    missing = [key for key in keys if key not in facts]
    if missing:
        raise DemixError(f"{path}: expected {', '.join(missing)}, received only {', '.join(facts)}; evaluate again")


def _need_scores(groups: Sequence[Group], scores: Sequence[ScoreRow], path: Path) -> None:
    scored = {row.system for row in scores}
    missing = [run for group in groups for run in group.runs if run not in scored]
    if missing:
        raise DemixError(f"{path}: expected scores of {missing[0]}, received none; evaluate again")


def _systems(groups: Sequence[Group]) -> tuple[System, ...]:
    systems: list[System] = []
    labels = [group.facts["label"] for group in groups]
    for group in groups:
        facts = group.facts
        is_net = facts["kind"] == "net"
        colour = colour_of(group.name, net=sum(system.is_net for system in systems) if is_net else None)
        # Two nets that carry the same label: their names tell them apart.
        label = facts["label"] if labels.count(facts["label"]) == 1 else f"{facts['label']} ({group.name})"
        systems.append(System(group.name, label, is_net, colour, facts, group.runs))
    return tuple(systems)


def _is_scored(row: ScoreRow, stem: str) -> bool:
    return row.stem == stem and row.metric in METRICS and row.value == row.value


def _differences(nets: Sequence[Group], seconds: Sequence[SecondRow]) -> dict[str, dict]:
    first, second = pairs_of_seeds(nets[1].entries, nets[0].entries) if len(nets) > 1 else ([], [])
    if not first:
        return {}
    return {metric: paired_differences(seconds, first, second, metric=metric) for metric in METRICS}


def _histories(folder: Path, systems: Sequence[System]) -> dict[str, tuple[History, ...]]:
    histories = {}
    for system in systems:
        paths = [folder / f"history-{run}.csv" for run in system.runs if system.is_net]
        if known := tuple(read_history(path) for path in paths if path.is_file()):
            histories[system.name] = known
    return histories


def _counted(seconds: Sequence[SecondRow], system: str, stems: Sequence[str]) -> dict[str, int]:
    return {stem: sum(row.counted for row in seconds if (row.system, row.stem) == (system, stem)) for stem in stems}
