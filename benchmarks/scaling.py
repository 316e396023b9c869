"""How far do more songs and more steps carry? Trains the release nets on parts of a folder of generated songs.

    python benchmarks/scaling.py GENERATED --dev FOLDER [--net unet] [--songs 0,4,20,100] [--steps 1000] [--seeds 0]
        [--out docs/scaling.csv]

Every point is a run of its own with its own course of the learning rate, scored by its last weights, as
`dev_score.py` does; a point that OUT has is not trained again, and a run that was stopped goes on. The songs that ship
are always among those learnt from. Nets can be trained at the same time, one process each (OMP_NUM_THREADS=1).
`python benchmarks/scaling_figure.py OUT` draws the curves.
"""

import argparse
import csv
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import NamedTuple

from dev_score import score

from demix.config import SAMPLE_RATE, STEMS
from demix.data import open_dataset
from demix.data.library import open_prepared

CONFIGS = Path(__file__).parents[1] / "configs"
SUBSETS = Path("data/temp/scaling")


class Point(NamedTuple):
    """One trained net: how much music it learnt from, how long, and its mean `sdr` in dB on the songs that choose."""

    net: str
    songs: int
    minutes: float
    steps: int
    seed: int
    vocals: float
    drums: float
    bass: float
    other: float
    mean: float


def main() -> None:
    """Train and score what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generated", type=Path, help="folder that `demix data generate` made")
    parser.add_argument("--dev", required=True, metavar="FOLDER", help="songs to score, never the test song")
    parser.add_argument("--net", action="append", choices=("unet", "vit"), help="default: both, one after the other")
    parser.add_argument("--songs", default="0,4,20,100", help="how many of the generated songs, one run for each")
    parser.add_argument("--steps", default="1000")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--out", type=Path, default=Path("docs/scaling.csv"))
    arguments = parser.parse_args()
    dev = [track.load() for track in open_dataset(arguments.dev)]
    steps, seeds = ([int(each) for each in listed.split(",")] for listed in (arguments.steps, arguments.seeds))
    there = {(point.net, point.songs, point.steps, point.seed) for point in read(arguments.out)}
    for songs in map(int, arguments.songs.split(",")):
        folder = subset(arguments.generated, songs)
        length = minutes(folder)
        for net, step, seed in product(arguments.net or ("unet", "vit"), steps, seeds):
            if (net, songs, step, seed) not in there:
                run = train(net, folder, songs=songs, steps=step, seed=seed)
                point = Point(net, songs, length, step, seed, *score(run, dev))
                append(arguments.out, point)
                print(*(f"{each:.2f}" if isinstance(each, float) else each for each in point), flush=True)


def subset(generated: Path, songs: int) -> Path | None:
    """Return a folder with the first generated songs, as links where it is not all; None for none of them."""
    if not songs:
        return None
    names = sorted(path.name for path in (generated / "train").iterdir() if path.is_dir())
    if songs > len(names):
        sys.exit(f"{generated}: expected {songs} songs, found {len(names)}; generate more")
    if songs == len(names):
        return generated  # which need not be prepared once more
    folder = SUBSETS / f"generated-{songs}"
    (folder / "train").mkdir(parents=True, exist_ok=True)
    for name in names[:songs]:
        link = folder / "train" / name
        if not link.is_symlink():
            link.symlink_to((generated / "train" / name).resolve())
    licence = folder / "licence.txt"
    licence.write_text((generated / "licence.txt").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def train(net: str, folder: Path | None, *, songs: int, steps: int, seed: int) -> Path:
    """Train to the end, or go on where it was stopped; return the run's folder."""
    name = f"scaling-{net}-{songs}-{steps}-{seed}"
    also = f"{{{os.fspath(folder)!r}=3.0}}" if folder else "{}"
    settings = {"data.also": also, "training.steps": steps, "training.valid_every": steps, "training.seed": seed}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    config = os.fspath(CONFIGS / f"release-{net}.toml")
    command = [sys.executable, "-m", "demix", "train", config, *options, "--name", name, "--resume"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)  # bars, or one sentence
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return Path("checkpoints") / name


def minutes(folder: Path | None) -> float:
    """Return how long all songs to learn from last."""
    tracks = [track for track in open_prepared("free") if track.split == "train"]
    tracks += open_prepared(os.fspath(folder)) if folder else []
    return sum(track.samples for track in tracks) / SAMPLE_RATE / 60


def read(path: Path) -> list[Point]:
    """Read the points that are there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Point(
                row["net"],
                int(row["songs"]),
                float(row["minutes"]),
                int(row["steps"]),
                int(row["seed"]),
                *(float(row[name]) for name in (*STEMS, "mean")),
            )
            for row in csv.DictReader(file)
        ]


def append(path: Path, point: Point) -> None:
    """Write a point at the end, in one piece: two processes may write."""
    head = "" if path.is_file() else ",".join(Point._fields) + "\n"
    cells = (f"{each:.3f}" if isinstance(each, float) else str(each) for each in point)
    with path.open("a", encoding="utf-8") as file:
        file.write(head + ",".join(cells) + "\n")


if __name__ == "__main__":
    main()
