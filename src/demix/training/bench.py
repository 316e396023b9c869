"""How fast nets are trained here: rows of figures, each from a process of its own, taken in turn.

The machine's speed changes while one measures. So every row is measured once in each round, and a ratio is one of two
rows of the same round.
"""

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from demix.config import CHANNELS, SAMPLE_RATE, STEMS, load_config
from demix.errors import DemixError
from demix.training.bench_case import Case, Figures
from demix.training.flops import count_step_flops

SONGS, SONG_SECONDS = 4, 30  # noise, as what is in a song does not change how long a step takes


@dataclass(frozen=True)
class Row:
    """What one net, trained one way, did in all rounds; medians.

    Args:
        net: `unet`, `vit` or `open-unmix`.
        preset: sizes of the net; empty for Open-Unmix.
        how: `demix`, `plain` or `open-unmix`.
        steps_per_second: training steps.
        audio_per_second: seconds of music trained on in a second.
        waiting_share: share of the time in which the device had no batch to work on.
        flops: floating-point operations per second of the net itself, what is computed again not counted; None for
            Open-Unmix.
        peak_share: those over a large matrix product's in the same precision.
        peak_bytes: most memory held at once.
        times_plain: step of `plain` over this one's, round by round.
        settings: what was set.
    """

    net: str
    preset: str
    how: str
    steps_per_second: float
    audio_per_second: float
    waiting_share: float
    flops: float | None
    peak_share: float | None
    peak_bytes: int
    times_plain: tuple[float, ...]
    settings: tuple[str, ...]


def bench_training(
    nets: Sequence[str],
    presets: Sequence[str],
    *,
    config: Path | None = None,
    settings: Sequence[str] = (),
    steps: int = 10,
    rounds: int = 3,
    beside: Sequence[str] = ("plain", "open-unmix"),
    on_case: Callable[[str, int, int], None] | None = None,
) -> list[Row]:
    """Time training steps of every net at every preset, and what they are compared with.

    Args:
        nets: keys of `demix.models.MODELS`.
        presets: sizes of the nets.
        config: TOML file with settings for every row.
        settings: more settings, as for `--set`. What is under `speed` is for `demix`'s rows alone.
        steps: steps timed in each round, after a few to warm up.
        rounds: how often every row is measured.
        beside: what to measure beside them: `plain` (the eager float32 step of the same net), `open-unmix`.
        on_case: told what is measured next, how many are done, and how many there are.

    Raises:
        DemixError: for settings that do not do, or a measurement that failed.
    """
    plans: list[tuple[str, str, str, list[str]]] = []
    for preset in presets:
        for net in nets:
            chosen = [f'model.name="{net}"', f'model.preset="{preset}"']
            plans.append((net, preset, "demix", [*chosen, *settings]))
            if "plain" in beside:
                plans.append((net, preset, "plain", [*chosen, *settings]))
    if "open-unmix" in beside and find_spec("openunmix") is not None:
        plans.append(("open-unmix", "", "open-unmix", [*settings]))
    flops = {plan[:2]: count_step_flops(load_config(config, plan[3])) for plan in plans if plan[2] != "open-unmix"}
    found: list[list[Figures]] = [[] for _ in plans]
    with tempfile.TemporaryDirectory() as folder:
        songs = write_songs(Path(folder))
        for number in range(rounds):
            for index, (net, preset, how, chosen) in enumerate(plans):
                if on_case:
                    on_case(f"{net} {preset} {how}".strip(), number * len(plans) + index, rounds * len(plans))
                found[index].append(run_case(Case(how, str(config or ""), chosen, steps, songs), f"{net} {preset}"))
    rows = []
    for (net, preset, how, chosen), figures in zip(plans, found, strict=True):
        plain = next((found[i] for i, plan in enumerate(plans) if plan[:3] == (net, preset, "plain")), None)
        rows.append(_row((net, preset, how, chosen), figures, plain, flops.get((net, preset))))
    return rows


def _row(
    plan: tuple[str, str, str, list[str]], figures: list[Figures], plain: list[Figures] | None, flops: float | None
) -> Row:
    net, preset, how, chosen = plan
    step = statistics.median(each.step_seconds for each in figures)
    achieved = None if flops is None else flops / step
    share = None if flops is None else statistics.median(flops / f.step_seconds / f.product_flops for f in figures)
    return Row(
        net=net,
        preset=preset,
        how=how,
        steps_per_second=1 / step,
        audio_per_second=figures[0].audio_seconds / step,
        waiting_share=statistics.median(each.waiting_share for each in figures),
        flops=achieved,
        peak_share=share,
        peak_bytes=max(each.peak_bytes for each in figures),
        times_plain=tuple(
            base.step_seconds / each.step_seconds for base, each in zip(plain or [], figures, strict=bool(plain))
        ),
        settings=tuple(chosen),
    )


def run_case(case: Case, name: str) -> Figures:
    """Measure a case in a process of its own; `name` is what an error calls it."""
    done = subprocess.run(
        [sys.executable, "-m", "demix.training.bench_case", json.dumps(dataclasses.asdict(case))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        known = f"{DemixError.__module__}.{DemixError.__name__}: "
        if reason.startswith(known):
            raise DemixError(reason.removeprefix(known))
        raise DemixError(f"{name}: its training step could not be measured: {reason}; try a smaller data.batch_size")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def write_songs(folder: Path) -> list[str]:
    """Write songs of noise as prepared songs lie on disk; return their files."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(SONGS):
        path = folder / f"noise-{number}.npy"
        shape = (len(STEMS), CHANNELS, SONG_SECONDS * SAMPLE_RATE)
        np.save(path, rng.normal(0, 3000, shape).clip(-32767, 32767).astype(np.int16))
        paths.append(str(path))
    return paths
