"""The evidence: a protocol from end to end. Trials, nets, controls, scores, probes, loops, report.

Every stage reuses what is there: run again, it goes on with what was interrupted.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from demix import config, protocol
from demix.compare import PlannedRun, check_alike
from demix.data import LICENCES, dataset_label, open_dataset
from demix.data.library import open_prepared
from demix.data.store import PrepareEvent
from demix.data.stored import StoredTrack
from demix.data.track import Track
from demix.errors import DemixError
from demix.evaluation.evaluate import EvaluateEvent, evaluate, fingerprint_inputs, is_scored
from demix.files import atomic
from demix.training.loop import TrainEvent, train
from demix.training.memory import count_step_memory


@dataclass(frozen=True)
class Trial:
    """One trial of a learning rate, a row of trials.csv."""

    net: str
    learning_rate: float
    steps: int
    valid_sdr: float
    chosen: bool


@dataclass(frozen=True)
class Trained:
    """One trained run: which variant, which seed, which folder."""

    variant: protocol.Variant
    seed: int
    run: PlannedRun


class Listener(Protocol):
    """Who is told how the work comes along."""

    def on_prepare(self, event: PrepareEvent) -> None:
        """Hear that a song is prepared."""

    def on_stage(self, stage: str, done: float, total: float, detail: str) -> None:
        """Hear how far a stage is."""
