"""The training loop that every net goes through.

What happens to a net depends on its settings, its seed and the songs alone: step `k` of two runs with one seed
sees the same batch, and a run that was killed ends with the same weights as one that was not (on one machine;
tested on a CPU).
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from demix import config
from demix.data.segments import Pool, draw_batch, open_pool, segment_samples
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.models import apply_mask_function, build_net, count_parameters
from demix.models.stft import stft
from demix.runtime import BEST_FILE, HISTORY_FILE, pick_device
from demix.spectral import check_stft
from demix.training.allocator import keep_freed_memory
from demix.training.checkpoint import LAST_FILE, Progress, load_checkpoint, save_checkpoint, save_weights
from demix.training.history import History, Row
from demix.training.losses import separation_loss
from demix.training.run import open_run, write_run
from demix.training.validation import validate

HISTORY_ROWS = 500  # a run's history has about this many rows, however long it is
EMA_WARMUP = 10  # steps over which the moving average forgets the random weights


@dataclass(frozen=True)
class TrainEvent:
    """What a progress bar needs to know.

    Args:
        phase: `train` or `validate`.
        step: batches trained.
        steps: batches in all.
        share: share of the validation that is done, in that phase.
        loss: loss of the last batch.
        valid_sdr: last validation score in dB.
    """

    phase: str
    step: int
    steps: int
    share: float = 0.0
    loss: float | None = None
    valid_sdr: float | None = None


def train(
    settings: config.Config,
    folder: Path,
    *,
    tracks: Sequence[StoredTrack],
    resume: bool = False,
    on_event: Callable[[TrainEvent], None] | None = None,
) -> Progress:
    """Train one net into a run folder.

    Args:
        settings: everything that decides the result.
        folder: the run folder; made when missing.
        tracks: prepared songs; `train` songs are learnt from, `valid` songs choose the best weights, `test` songs
            are ignored.
        resume: go on with the run that the folder holds; a finished one stays as it is.
        on_event: told after every step and during validation.

    Returns:
        The progress at the end.

    Raises:
        DemixError: for songs, settings or a folder that do not do, a loss that is not finite, or a full disk.
    """
    tell = on_event or (lambda event: None)
    keep_freed_memory()
    options = settings.training
    device = pick_device(options.device)
    check_stft(settings.spectral.n_fft, settings.spectral.hop_length)
    valid = [track for track in tracks if track.split == "valid"]
    if not valid:
        raise DemixError(f"{settings.data.dataset}: expected at least one song in split valid, received none; add one")
    shortest = segment_samples(settings.data)
    train_tracks = [track for track in tracks if track.split == "train"]
    pool = open_pool(train_tracks, segment_samples=shortest)
    used = [*valid, *(track for track in train_tracks if track.samples >= shortest)]
    if all(min(track.silent_share) >= 1 for track in valid):
        raise DemixError(f"{settings.data.dataset}: expected a validation song that sounds, received silence; add one")
    there = open_run(folder, settings, tracks=used, resume=resume)

    torch.manual_seed(options.seed)
    net = build_net(settings).to(device)
    ema = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    history = History(folder / HISTORY_FILE)
    progress = Progress()
    if not there:
        parameters = count_parameters(net)
        write_run(folder, settings, tracks=used, parameters=parameters, device=str(device))
    elif (folder / LAST_FILE).is_file():
        progress = load_checkpoint(folder / LAST_FILE, net=net, ema=ema, optimiser=optimiser)
        history.resume(progress.step)

    losses: list[Tensor] = []
    score = None
    while progress.step < options.steps:
        started = time.perf_counter()
        net.train()
        loss = train_step(net, optimiser, pool=pool, settings=settings, step=progress.step, device=device)
        update_average(ema, net, decay=average_decay(options, progress.step))
        losses.append(loss)
        value = float(loss)
        progress = replace(progress, step=progress.step + 1, seconds=progress.seconds + time.perf_counter() - started)
        if not math.isfinite(value):
            raise DemixError(
                f"{folder}: the loss became {value} at step {progress.step}; the last checkpoint is kept, "
                "try a lower training.learning_rate or training.clip_norm"
            )
        tell(TrainEvent("train", progress.step, options.steps, loss=value, valid_sdr=score))
        due = progress.step % options.valid_every == 0 or progress.step == options.steps
        if due:

            def report(share: float, step: int = progress.step, loss: float = value) -> None:
                tell(TrainEvent("validate", step, options.steps, share=share, loss=loss))

            score = validate(ema, valid, settings=settings, device=device, on_progress=report)
        if due or progress.step % max(1, options.steps // HISTORY_ROWS) == 0:
            mean = float(torch.stack(losses).mean())
            rate = learning_rate(options, progress.step - 1)
            history.rows.append(Row(progress.step, progress.seconds, mean, rate, score if due else None))
            losses.clear()
        if due and score is not None:
            history.write()
            if progress.best_sdr is None or score > progress.best_sdr:
                progress = replace(progress, best_sdr=score)
                save_weights(folder / BEST_FILE, net=ema, progress=progress)
            save_checkpoint(folder / LAST_FILE, net=net, ema=ema, optimiser=optimiser, progress=progress)
    return progress


def train_step(
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    *,
    pool: Pool,
    settings: config.Config,
    step: int,
    device: torch.device,
) -> Tensor:
    """Draw batch `step`, take one step down its loss, return the loss."""
    options, spectral = settings.training, settings.spectral
    batch = draw_batch(pool, data=settings.data, settings=settings.augment, seed=options.seed, step=step)
    stems = torch.from_numpy(batch).to(device)
    channel = step % config.CHANNELS  # the one that is compared
    with torch.no_grad():
        mixture = stft(stems.sum(dim=1), n_fft=spectral.n_fft, hop_length=spectral.hop_length)
        spectra = stft(stems[:, :, channel], n_fft=spectral.n_fft, hop_length=spectral.hop_length)
    masks = apply_mask_function(net(torch.view_as_real(mixture)), settings.model.mask)
    loss = separation_loss(masks[:, :, channel], spectra, stems[:, :, channel], loss=settings.loss, spectral=spectral)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(options, step)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), options.clip_norm)
    optimiser.step()
    return loss.detach()


def learning_rate(options: config.Training, step: int) -> float:
    """Learning rate of batch `step`: a straight rise, times half a cosine to zero (Loshchilov and Hutter 2017)."""
    rise = min(1.0, (step + 1) / max(1, options.warmup_steps))
    return options.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / options.steps))


def average_decay(options: config.Training, step: int) -> float:
    """Decay of the averaged weights after batch `step`: lower in the first steps, to forget the random weights."""
    return min(options.ema_decay, (1 + step) / (EMA_WARMUP + step))


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, *, decay: float) -> None:
    """Move the averaged weights, and statistics of normalisation, towards the net's; counters are copied."""
    for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)
