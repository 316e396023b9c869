"""The figure of `scaling.py`: score against minutes of music, and against steps.

python benchmarks/scaling_figure.py [docs/scaling.csv] [--out docs/scaling.png]
"""

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from generated_figure import SETS, STYLE
from matplotlib import rc_context
from matplotlib.figure import Figure
from scaling import Point, read

NETS = {"unet": "U-Net", "vit": "ViT"}


def main() -> None:
    """Draw both curves as a PNG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path, nargs="?", default=Path("docs/scaling.csv"))
    parser.add_argument("--out", type=Path, default=Path("docs/scaling.png"))
    arguments = parser.parse_args()
    points = read(arguments.points)
    if not points:
        sys.exit(f"{arguments.points}: expected points, found none; run `python benchmarks/scaling.py` first")
    music = max({point.steps for point in points}, key=lambda steps: len({p.songs for p in points if p.steps == steps}))
    most = max(point.songs for point in points)
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4.4), dpi=110, layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2, sharey=True)
        draw(left, [point for point in points if point.steps == music], lambda point: point.minutes, "Twice the music")
        left.set_xlabel(f"minutes of music to learn from, {music:,} steps")
        left.set_ylabel("mean sdr of the four stems, dB")
        draw(right, [point for point in points if point.songs == most], lambda point: point.steps, "Twice the steps")
        right.set_xlabel(f"steps, {max(point.minutes for point in points):.0f} minutes of music")
        left.legend(loc="lower right")
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(arguments.out)


def draw(axes: Any, points: Sequence[Point], place: Callable[[Point], float], what: str) -> None:
    """Draw a line for each net through the means over seeds; head the panel by the slopes."""
    told = []
    for (net, label), (colour, sign, line) in zip(NETS.items(), SETS, strict=False):
        found: dict[float, list[float]] = defaultdict(list)
        for point in points:
            if point.net == net:
                found[place(point)].append(point.mean)
        if not found:
            continue
        x = sorted(found)
        y = [float(np.mean(found[each])) for each in x]
        axes.plot(x, y, color=colour, marker=sign, linestyle=line, linewidth=2, markersize=8, label=label)
        for each, values in found.items():
            axes.plot([each] * len(values), values, sign, color=colour, markersize=4, alpha=0.5)
        if len(x) > 1:
            slope = (y[-1] - y[0]) / math.log2(x[-1] / x[0])
            told.append(f"{label} {slope:+.2f}".replace(" -", " −") + " dB")
    axes.set_xscale("log")
    ticks = sorted({place(point) for point in points})
    axes.set_xticks(ticks, labels=[f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_title(f"{what}, on average:\n" + ", ".join(told))


if __name__ == "__main__":
    main()
