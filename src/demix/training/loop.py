"""The training loop that every net goes through.

What happens to a net depends on its settings, its seed and the songs alone: step `k` of two runs with one seed
sees the same batch, and a run that was killed ends with the same weights as one that was not (on one machine;
tested on a CPU).
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import Tensor

from demix import config
from demix.data.segments import open_pool, segment_samples
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.models import build_net, count_parameters
from demix.models.transfer import read_start
from demix.runtime import BEST_FILE, HISTORY_FILE, pick_device
from demix.spectral import check_stft
from demix.training.allocator import keep_freed_memory
from demix.training.checkpoint import Progress, put_back, read_checkpoint, save_checkpoint, save_weights
from demix.training.distributed import ALONE, Ranks, check_ranks
from demix.training.engine import Engine, learning_rate
from demix.training.feed import batches
from demix.training.history import History, Row
from demix.training.run import open_run, write_run
from demix.training.validation import validate

HISTORY_ROWS = 500  # a run's history has about this many rows, however long it is


class NotFiniteError(DemixError):
    """The loss became infinite or no number: this training has come to its end."""


@dataclass(frozen=True)
class TrainEvent:
    """What a progress bar needs to know.

    Args:
        phase: `train`, `validate`, or `warning`: a sentence to be shown.
        step: batches trained.
        steps: batches in all.
        share: share of the validation that is done, in that phase.
        loss: loss of the last batch, or of this rank's share of it.
        valid_sdr: last validation score in dB.
        message: the sentence.
    """

    phase: Literal["train", "validate", "warning"]
    step: int
    steps: int
    share: float = 0.0
    loss: float | None = None
    valid_sdr: float | None = None
    message: str = ""


def train(
    settings: config.Config,
    folder: Path,
    *,
    tracks: Sequence[StoredTrack],
    resume: bool = False,
    on_event: Callable[[TrainEvent], None] | None = None,
    ranks: Ranks = ALONE,
) -> Progress:
    """Train one net into a run folder.

    Args:
        settings: everything that decides the result.
        folder: the run folder; made when missing.
        tracks: prepared songs; `train` songs are learnt from, `valid` songs choose the best weights, `test` songs
            are ignored.
        resume: go on with the run that the folder holds; a finished one stays as it is.
        on_event: told after every step, during validation, when the last checkpoint is damaged, and which weights a
            run starts from if not from random ones.
        ranks: the processes that train together, each calling this; rank 0 alone touches the folder.

    Returns:
        The progress at the end.

    Raises:
        DemixError: for songs, settings, a folder or weights to start from that do not do, a loss that is not finite,
            too little memory on the device, or a full disk.
    """
    tell = on_event or (lambda event: None)
    keep_freed_memory()
    options = settings.training
    device = pick_device(options.device)
    learnt, valid = _check(settings, tracks, ranks)
    used = [*valid, *learnt]
    there = ranks.first(lambda: open_run(folder, settings, tracks=used, resume=resume))

    def warn(message: str) -> None:
        tell(TrainEvent("warning", 0, options.steps, message=message))

    checkpoint = ranks.first(lambda: read_checkpoint(folder, warn=warn)) if there else None
    start = None if checkpoint else ranks.first(lambda: read_start(settings))
    engine = Engine(settings, device=device, ranks=ranks, start=start.tensors if start else None)
    history = History(folder / HISTORY_FILE)
    progress = Progress()
    if checkpoint is not None:
        put_back(checkpoint, engine)
        progress = checkpoint.progress
        if ranks.main:
            history.resume(progress.step)
    elif ranks.main:
        parameters, init = count_parameters(engine.net), start.record if start else None
        write_run(
            folder, settings, tracks=used, parameters=parameters, device=str(device), processes=ranks.size, init=init
        )
        if start:
            warn(str(start))

    behind = 0 if device.type == "cpu" else 1  # a GPU that the host waits for after every step has nothing to do then
    unread: list[Tensor] = []  # losses that the host has not read yet, the latest last
    score = None
    saved_at = clock = time.monotonic()
    for stems in batches(learnt, settings, device=device, start=progress.step, ranks=ranks):
        unread.append(engine.step(stems, progress.step))
        progress = replace(progress, step=progress.step + 1)
        step = progress.step
        due = step % options.valid_every == 0 or step == options.steps
        row = due or step % max(1, options.steps // HISTORY_ROWS) == 0
        # Ranks look at the clock where they talk to each other anyway, and all at that of rank 0.
        late = time.monotonic() - saved_at > 60 * options.checkpoint_minutes
        old = (row or ranks.size == 1) and ranks.gather(late)[0]
        save = due or old or (options.checkpoint_every and step % options.checkpoint_every == 0)
        while len(unread) > (0 if row or save else behind):
            number = step + 1 - len(unread)
            loss = _read_loss(unread.pop(0), folder, number)
            progress = replace(progress, losses=progress.losses + loss, count=progress.count + 1)
            tell(TrainEvent("train", number, options.steps, loss=loss, valid_sdr=score))
        now = time.monotonic()
        progress, clock = replace(progress, seconds=progress.seconds + now - clock), now
        if due:

            def report(share: float, step: int = step, loss: float = loss) -> None:
                tell(TrainEvent("validate", step, options.steps, share=share, loss=loss))

            score = validate(engine.ema, valid, settings=settings, device=device, on_progress=report, ranks=ranks)
        if row or save:
            # Nothing is saved before every rank has found its losses finite and got here.
            progress = replace(progress, losses=ranks.mean(progress.losses, count=settings.data.batch_size))
        if row:
            average = progress.losses / progress.count
            rate = learning_rate(options, step - 1)
            history.rows.append(Row(step, progress.seconds, average, rate, score if due else None))
            progress = replace(progress, losses=0.0, count=0)
        if due and score is not None and (progress.best_sdr is None or score > progress.best_sdr):
            progress = replace(progress, best_sdr=score)
            if ranks.main:
                save_weights(folder / BEST_FILE, net=engine.ema, progress=progress)
        if save and ranks.main:
            history.write()
            save_checkpoint(folder, engine=engine, progress=progress)
        if due or save:
            saved_at = clock = time.monotonic()
    return progress


def _check(
    settings: config.Config, tracks: Sequence[StoredTrack], ranks: Ranks
) -> tuple[list[StoredTrack], list[StoredTrack]]:
    """Return the songs to learn from and those that choose the best weights, before a folder is made for nothing."""
    check_stft(settings.spectral.n_fft, settings.spectral.hop_length)
    check_ranks(ranks, settings, tracks)
    valid = [track for track in tracks if track.split == "valid"]
    if not valid:
        raise DemixError(f"{settings.data.dataset}: expected at least one song in split valid, received none; add one")
    shortest = segment_samples(settings.data)
    learnt = [track for track in tracks if track.split == "train"]
    open_pool(learnt, segment_samples=shortest, also=settings.data.also)
    if all(min(track.silent_share) >= 1 for track in valid):
        raise DemixError(f"{settings.data.dataset}: expected a validation song that sounds, received silence; add one")
    build_net(settings)
    return [track for track in learnt if track.samples >= shortest], valid


def _read_loss(loss: Tensor, folder: Path, step: int) -> float:
    """Wait for a loss and see that it is a number."""
    value = float(loss)
    if not math.isfinite(value):
        raise NotFiniteError(
            f"{folder}: the loss became {value} at step {step}; the last checkpoint is kept, "
            "try a lower training.learning_rate or training.clip_norm"
        )
    return value
