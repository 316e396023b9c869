"""One row of `demix bench train`, measured in a process of its own: its memory and its settings touch no other row.

python -m demix.training.bench_case '{"how": "demix", "settings": [...], "steps": 10, ...}'
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demix.config import SAMPLE_RATE, Config, Speed, load_config
from demix.data.segments import segment_samples
from demix.data.stored import StoredTrack
from demix.models import build_net
from demix.runtime import pick_device
from demix.training.allocator import keep_freed_memory
from demix.training.engine import Engine
from demix.training.feed import batches
from demix.training.open_unmix import open_unmix_step
from demix.training.plain import plain_step
from demix.training.speed import set_matrix_precision

WARM_STEPS = 3  # until kernels are chosen, compiled and cached
PRODUCT_SECONDS = 0.5  # how long matrix products are timed for the device's peak
_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Case:
    """What to measure.

    Args:
        how: `demix`, the training step as the settings say; `plain`, the eager float32 step; `open-unmix`.
        config: TOML file, empty for none.
        settings: as for `--set`.
        steps: steps that are timed.
        songs: int16 files of songs to train on.
        keep_memory: let the process keep freed memory; None is what `how` does by itself, `demix` keeps it.
    """

    how: str
    config: str
    settings: list[str]
    steps: int
    songs: list[str]
    keep_memory: bool | None = None


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Args:
        step_seconds: of one step, reading included.
        waiting_share: share of the time in which the device had no batch to work on: reading, copying, cutting.
        peak_bytes: most memory held at once; on a GPU by tensors, on a CPU by the process beyond what it began with.
        product_flops: floating-point operations per second of a large matrix product, in float32 or the step's
            precision, the best of several in the same process: the device's peak as it can be had.
        parameters: trained numbers.
        audio_seconds: music in a batch.
    """

    step_seconds: float
    waiting_share: float
    peak_bytes: int
    product_flops: float
    parameters: int
    audio_seconds: float


def measure(case: Case) -> Figures:
    """Time a case's steps on songs of its own."""
    settings = load_config(Path(case.config) if case.config else None, case.settings)
    training = dataclasses.replace(settings.training, steps=WARM_STEPS + case.steps)
    settings = dataclasses.replace(settings, training=training)
    device = pick_device(training.device)
    if case.how == "demix" if case.keep_memory is None else case.keep_memory:
        keep_freed_memory()
    if case.how != "demix":  # as one writes it down first: the songs stay on disk, batches are read in between steps
        settings = dataclasses.replace(settings, speed=Speed(resident=False))
    tracks = [_track(Path(path)) for path in case.songs]
    base = _held(device, anew=True)
    step, parameters = _prepare(case, settings, device)
    feed = batches(tracks, settings, device=device, start=0)
    marks: list[tuple[Any, Any]] = []
    losses: list[Tensor] = []
    for number in range(WARM_STEPS + case.steps):
        before = _mark(device)
        stems = next(feed)
        marks.append((before, _mark(device)))
        losses.append(step(stems, number))
        if number:
            losses[number - 1].item()  # as the training loop: the host reads one step behind
    end = _mark(device)
    _finish(device)
    timed = marks[WARM_STEPS:]
    whole = _between(timed[0][0], end)
    waiting = sum(_between(*pair) for pair in timed)
    return Figures(
        step_seconds=whole / case.steps,
        waiting_share=waiting / whole,
        peak_bytes=_held(device) - base,
        product_flops=max(product_flops(device, precision) for precision in {"float32", settings.speed.precision}),
        parameters=parameters,
        audio_seconds=settings.data.batch_size * segment_samples(settings.data) / SAMPLE_RATE,
    )


def _prepare(case: Case, settings: Config, device: torch.device) -> tuple[Callable[[Tensor, int], Tensor], int]:
    """Return the step of a case, and how many parameters it trains."""
    if case.how == "demix":
        engine = Engine(settings, device=device)
        return engine.step, sum(value.numel() for value in engine.net.parameters())
    set_matrix_precision("float32")  # PyTorch's own default rounds the convolutions of a GPU to TF32
    if case.how == "open-unmix":
        theirs = open_unmix_step(settings, device)
        return lambda stems, _: theirs(stems), 0
    torch.manual_seed(settings.training.seed)
    net = build_net(settings).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=settings.training.weight_decay)
    return (
        lambda stems, number: plain_step(net, optimiser, stems, settings=settings, step=number),
        sum(value.numel() for value in net.parameters()),
    )


def product_flops(device: torch.device, precision: str) -> float:
    """Time large matrix products; return the most floating-point operations per second."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=_HALF.get(precision, torch.float32)) for _ in range(2))
    best, deadline = 0.0, time.perf_counter() + PRODUCT_SECONDS
    while not best or time.perf_counter() < deadline:
        start = _mark(device)
        a @ b
        end = _mark(device)
        _finish(device)
        best = max(best, 2 * size**3 / _between(start, end))
    return best


def _track(path: Path) -> StoredTrack:
    """Describe a file of noise as a song that sounds throughout."""
    stems, _, samples = np.load(path, mmap_mode="r").shape
    return StoredTrack(
        name=path.stem,
        split="train",
        samples=samples,
        scale=2**-15,
        path=path,
        has_mixture=False,
        rms_db=(-20.0,) * stems,
        peak=(1.0,) * stems,
        silent_share=(0.0,) * stems,
    )


def _mark(device: torch.device) -> Any:
    """Take the time: of a GPU when it comes to this point in its queue, of a CPU now."""
    if device.type != "cuda":
        return time.perf_counter()
    make: Callable[..., torch.cuda.Event] = torch.cuda.Event
    event = make(enable_timing=True)
    event.record()
    return event


def _between(start: Any, end: Any) -> float:
    """Return the seconds between two marks."""
    return float(end - start) if isinstance(start, float) else float(start.elapsed_time(end)) / 1000


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _held(device: torch.device, *, anew: bool = False) -> int:
    """Return the most memory held so far, or from here on, in bytes; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":  # what getrusage tells there begins with the peak of the process that started this one
        if anew:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: Sequence[str]) -> None:
    """Measure the case that the command line holds as JSON; print the figures as JSON."""
    print(json.dumps(dataclasses.asdict(measure(Case(**json.loads(arguments[0]))))))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
