"""Measure what each switch of `demix.config.Speed` does to a training step, against none of them, and the plain step.

    python benchmarks/train_switches.py [--preset tiny] [--rounds 3] [--steps 8] [--set training.device=cpu ...]

Every case runs in a process of its own, in turn; printed are the steps per second that a switch multiplies by, round by
round, and the memory held beside that of none.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from demix.errors import DemixError
from demix.models import MODELS
from demix.training.bench import run_case, write_songs
from demix.training.bench_case import Case, Figures

# Attention stays fused: without, the ViT's `base` step would need more than the memory of any card.
NONE = ["speed.fused_optimiser=false", "speed.resident=false"]
SWITCHES = {
    "without flash_attention": ["speed.flash_attention=false"],
    "fused_optimiser": ["speed.fused_optimiser=true"],
    "channels_last": ["speed.channels_last=true"],
    "compile": ["speed.compile=true"],
    "tf32": ["speed.precision=tf32"],
    "bfloat16": ["speed.precision=bfloat16"],
    "float16": ["speed.precision=float16"],
    "resident": ["speed.resident=true"],
    "workers=2": ["speed.workers=2"],
    "micro_batch=1": ["speed.micro_batch=1"],
    "checkpoint_activations": ["speed.checkpoint_activations=true"],
}


def main() -> None:
    """Measure every switch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--net", nargs="+", default=list(MODELS))
    parser.add_argument("--only", nargs="+", choices=SWITCHES, default=list(SWITCHES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        songs = write_songs(Path(folder))
        for net in options.net:
            common = [f'model.name="{net}"', f'model.preset="{options.preset}"', *options.settings]
            none = Case("demix", "", [*common, *NONE], options.steps, songs)
            cases = {
                "plain": replace(none, how="plain"),
                "plain, freed memory kept": replace(none, how="plain", keep_memory=True),
                "none": none,
                "freed memory not kept": replace(none, keep_memory=False),
                **{name: replace(none, settings=[*none.settings, *SWITCHES[name]]) for name in options.only},
            }
            found: dict[str, list[Figures]] = {name: [] for name in cases}
            for _ in range(options.rounds):
                for name, case in cases.items():
                    try:
                        found[name].append(run_case(case, name))
                    except DemixError as error:
                        print(f"  {name}: {error}", flush=True)
            found = {name: figures for name, figures in found.items() if len(figures) == options.rounds}
            if "none" not in found:
                continue
            base = found["none"]
            seconds = statistics.median(each.step_seconds for each in base)
            print(f"{net} {options.preset}, no switch: {seconds:.4f} s a step, {base[0].peak_bytes / 2**20:.0f} MiB")
            for name, figures in found.items():
                ratios = [mine.step_seconds / other.step_seconds for mine, other in zip(base, figures, strict=True)]
                memory = statistics.median(each.peak_bytes for each in figures) / 2**20
                print(
                    f"  {name:24} {' '.join(f'{ratio:.2f}' for ratio in ratios)} times as fast, {memory:.0f} MiB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
