"""The comparison from end to end: prepare, train every net on the same batches, score, report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from demix import config
from demix.data import dataset_label, dataset_licence, open_dataset
from demix.data.library import open_training
from demix.data.store import PrepareEvent
from demix.errors import DemixError
from demix.evaluation.evaluate import EvaluateEvent, evaluate, fingerprint_inputs, is_scored
from demix.models import MODELS, build_net
from demix.models.transfer import read_start
from demix.report.build import build
from demix.runtime import RUN_FILE
from demix.training.loop import TrainEvent, train


@dataclass(frozen=True)
class PlannedRun:
    """One net of a comparison: the folder it is trained into, and its settings."""

    folder: Path
    settings: config.Config


class Listener(Protocol):
    """Who is told how a comparison comes along."""

    def on_prepare(self, event: PrepareEvent) -> None:
        """Hear that a song is prepared."""

    def on_train(self, run: PlannedRun, event: TrainEvent) -> None:
        """Hear that a net has made a step or is being validated."""

    def on_evaluate(self, event: EvaluateEvent) -> None:
        """Hear that a system is separating a song."""


def plan_runs(
    name: str, *, checkpoints: Path, load: Callable[[Sequence[str]], config.Config], settings: Sequence[str] = ()
) -> list[PlannedRun]:
    """Plan one run for every net in `MODELS`, alike in everything but the net.

    Args:
        name: of the comparison; a run is called `<name>-<net>`.
        checkpoints: where run folders lie.
        load: turns settings `section.key=value` into a config.
        settings: settings for every run.
    """
    return [PlannedRun(checkpoints / f"{name}-{net}", load([*settings, f'model.name="{net}"'])) for net in MODELS]


def compare(runs: Sequence[PlannedRun], out: Path, *, listener: Listener) -> Path:
    """Train what is not trained yet, score what is not scored yet, write the report.

    Args:
        runs: the nets; all with the same songs, batches, loss and seed.
        out: the results folder.
        listener: told about progress.

    Returns:
        The path of the report.

    Raises:
        DemixError: for runs that would not see the same batches, and whatever training and scoring raise.
    """
    check_alike(runs)
    dataset = runs[0].settings.data.dataset
    test = [track for track in open_dataset(dataset) if track.split == "test"]
    if not test:
        raise DemixError(f"{dataset}: expected at least one test song to compare on, received none; add a test split")
    check_starts(runs)
    tracks = open_training(runs[0].settings.data, on_event=listener.on_prepare)
    for run in runs:

        def tell(event: TrainEvent, run: PlannedRun = run) -> None:
            listener.on_train(run, event)

        train(run.settings, run.folder, tracks=tracks, resume=True, on_event=tell)
    folders = [run.folder for run in runs]
    if not is_scored(out, fingerprint_inputs(folders, test)):
        licence = dataset_licence(dataset)
        device = runs[0].settings.training.device
        evaluate(
            folders,
            test,
            out,
            dataset=dataset_label(dataset),
            licence=licence,
            device=device,
            on_event=listener.on_evaluate,
        )
    return build(out)


def check_alike(runs: Sequence[PlannedRun]) -> None:
    """Raise `DemixError` unless all runs train on the same batches, by the same loss, for the same number of steps."""
    if len({run.folder for run in runs}) < len(runs):
        raise DemixError(f"{runs[0].folder}: two configs would train into it; give them different file names")
    for run in runs:
        build_net(run.settings)  # what cannot be built is told before anything is trained
    first = runs[0].settings
    for other in (run.settings for run in runs[1:]):
        for section in ("spectral", "data", "augment", "loss"):
            here, there = getattr(first, section), getattr(other, section)
            if here != there:
                raise DemixError(f"[{section}] differs between the runs ({here} and {there}); make them alike")
        for key in ("seed", "steps", "valid_every"):
            if getattr(first.training, key) != getattr(other.training, key):
                raise DemixError(f"training.{key} differs between the runs; make it alike")
        if first.speed.precision != other.speed.precision:
            raise DemixError("speed.precision differs between the runs; make it alike")
        for key in ("mask", "phase"):
            if getattr(first.model, key) != getattr(other.model, key):
                raise DemixError(f"model.{key} differs between the runs; make it alike")


def check_starts(runs: Sequence[PlannedRun]) -> None:
    """Raise `DemixError` where a run that has not begun could not start from the weights that its settings name."""
    for run in runs:
        if not (run.folder / RUN_FILE).is_file():
            read_start(run.settings)
