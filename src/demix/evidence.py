"""The evidence: a protocol from end to end. Trials, nets, controls, scores, probes, loops, report.

Every stage reuses what is there: run again, it goes on with what was interrupted. What each part writes is said in
README, "What is written where".
"""

import dataclasses
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from demix import config
from demix import evidence_parts as parts
from demix.data import dataset_label, dataset_licence, open_dataset
from demix.data.library import open_training
from demix.data.loops import RECORD_FILE, SONGS_FILE
from demix.data.store import PrepareEvent
from demix.data.track import Track
from demix.errors import DemixError
from demix.evaluation.evaluate import EvaluateEvent, evaluate, fingerprint_inputs, is_scored, read_facts
from demix.evidence_runs import Tell, Trained, Trial, check_variants, choose_learning_rates, chosen_rates, train_nets
from demix.protocol import METRIC, read_protocol, settings_of
from demix.protocol import Protocol as Plan
from demix.report.build import build
from demix.rows import write_rows
from demix.training.memory import count_step_memory


class Listener(Protocol):
    """Who is told how the work comes along."""

    def on_prepare(self, event: PrepareEvent) -> None:
        """Hear that a song is prepared."""

    def on_stage(self, stage: str, done: float, total: float, detail: str) -> None:
        """Hear how far a stage is."""


def gather_evidence(path: Path, *, checkpoints: Path, results: Path, listener: Listener) -> Path:
    """Run a protocol: train, score, probe, report.

    Args:
        path: the protocol's file.
        checkpoints: where run folders lie.
        results: where results folders lie.
        listener: told about progress.

    Returns:
        The path of the report, `results/<name>/index.html`.

    Raises:
        DemixError: for a protocol that cannot be run, and whatever its parts raise.
    """
    plan = read_protocol(path)
    out = results / plan.name
    _check_unchanged(plan, path, out)
    check_variants(plan, path)
    tell = listener.on_stage
    data = _data(plan, path)
    dataset = data.dataset
    listed = open_dataset(dataset)
    test = [track for track in listed if track.split == "test"]
    if not test:
        raise DemixError(f"{dataset}: expected at least one test song to compare on, received none; add a test split")
    tracks = open_training(data, on_event=listener.on_prepare)
    trials = choose_learning_rates(plan, path, checkpoints=checkpoints, tracks=tracks, tell=tell)
    rates = chosen_rates(trials)
    nets = train_nets(plan, path, rates=rates, checkpoints=checkpoints, tracks=tracks, tell=tell)
    facts = {
        "protocol": {
            "name": plan.name,
            "metric": METRIC,
            **dataclasses.asdict(plan.rule),
            "seeds": list(plan.seeds),
            "text": plan.text,
        }
    }
    _score(nets, test, out, dataset, more=facts, tell=tell)
    _write_trials(out / "trials.csv", trials)
    if plan.chunk_seconds:
        parts.score_chunks(nets, test, out, plan.chunk_seconds, tell=tell)
    if plan.controls:
        controls = train_nets(plan, path, rates=rates, checkpoints=checkpoints, tracks=tracks, tell=tell, controls=True)
        _score(controls, test, out / "controls", dataset, baselines=("mixture", "oracle"), tell=tell)
    if plan.probes.seeds:
        strange = [track for track in listed if track.split != "train"]
        parts.probe_nets(nets, test, strange, out / "probes", plan.probes, tell=tell)
    if plan.loops.bases:
        songs = parts.make_loops(test, out / "loop-songs", plan.loops, tell=tell)
        _score(nets, songs, out / "loops", dataset, baselines=("mixture",), tell=tell)
        for name in (SONGS_FILE, RECORD_FILE):
            if not _same(out / "loop-songs" / name, out / "loops" / name):
                shutil.copyfile(out / "loop-songs" / name, out / "loops" / name)
    return build(out)


def _check_unchanged(plan: Plan, path: Path, out: Path) -> None:
    """Raise `DemixError` where `out` has the numbers of another protocol: one is not changed once they are seen.

    Comments may change. What a protocol no longer asks for would stay in the report, too.
    """
    laid_down = read_facts(out).get("protocol")
    text = laid_down.get("text") if isinstance(laid_down, dict) else None
    try:
        changed = text is not None and tomllib.loads(str(text)) != tomllib.loads(plan.text)
    except tomllib.TOMLDecodeError:
        changed = True
    if changed:
        raise DemixError(
            f"{path}: expected the protocol whose numbers are in {out}, received a changed one; give it another name, "
            "or delete that folder"
        )


def _data(plan: Plan, path: Path) -> config.Data:
    """Return the data sets that all runs of the protocol are trained on."""
    variants = [(variant, control) for variant in (*plan.nets, *plan.controls) for control in (False, True)]
    found = {}
    for variant, control in variants:
        data = settings_of(plan, variant, path, control=control).data
        found[" and ".join([data.dataset, *(f"{name} (weight {data.also[name]:g})" for name in data.also)])] = data
    if len(found) > 1:
        raise DemixError(f"{path}: expected one data set for all runs, received {', '.join(sorted(found))}")
    return next(iter(found.values()))


def _score(
    runs: Sequence[Trained],
    songs: Sequence[Track],
    out: Path,
    dataset: str,
    *,
    tell: Tell,
    baselines: Sequence[str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Score runs into `out`, unless exactly these are scored there."""
    folders = [trained.run.folder for trained in runs]
    memory = {trained.variant.group: trained for trained in reversed(runs)}
    step_mib = {group: count_step_memory(trained.run.settings) / 2**20 for group, trained in memory.items()}
    about = {trained.run.folder.resolve().name: _describe(trained, step_mib) for trained in runs}
    heard = [trained.run.folder.resolve().name for trained in memory.values() if not trained.variant.of]
    asked = {"baselines": baselines, "heard": heard, "about": about, "more": more}
    if is_scored(out, fingerprint_inputs(folders, songs, baselines=baselines, about=about, more=more)):
        return

    def listen(event: EvaluateEvent) -> None:
        tell(f"score {out.name}", event.done, event.total, f"{event.system} on {event.track}")

    evaluate(
        folders,
        songs,
        out,
        dataset=dataset_label(dataset),
        licence=dataset_licence(dataset),
        device=runs[0].run.settings.training.device,
        on_event=listen,
        **asked,  # type: ignore[arg-type]
    )


def _same(made: Path, copy: Path) -> bool:
    return copy.is_file() and copy.read_bytes() == made.read_bytes()


def _describe(trained: Trained, step_mib: Mapping[str, float]) -> dict[str, Any]:
    """Return what the report has to know of a run: which others it is pooled with, what it is a control of."""
    variant = trained.variant
    entry: dict[str, Any] = {"group": variant.group, "label": variant.label, "step_mib": step_mib[variant.group]}
    return {**entry, "of": variant.of or variant.group, "aspect": variant.aspect}


def _write_trials(path: Path, trials: Sequence[Trial]) -> None:
    rows = [(each.net, each.learning_rate, each.steps, each.valid_sdr, int(each.chosen)) for each in trials]
    write_rows(path, [field.name for field in dataclasses.fields(Trial)], rows)
