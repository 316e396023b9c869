"""Score runs on songs that choose: python benchmarks/dev_score.py RUN... --data FOLDER [--data FOLDER ...].

Prints, for every run and data set, `sdr` of each stem (mean over the songs that have it) and the mean of the four, and
with --csv appends them to a file. This is how the trials of docs/search.md were scored. Never give it test songs: what
chooses among trials cannot judge the winner.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from demix.config import STEMS
from demix.data import dataset_label, open_dataset
from demix.data.track import Audio
from demix.metrics import sdr
from demix.pretrained import make_separator
from demix.runtime import load_run


def score(folder: Path, songs: list[tuple[Audio, Audio]]) -> list[float]:
    """Return `sdr` in dB of each stem over the songs that have it, then the mean of these."""
    run = load_run(folder, device="cpu")
    separator = make_separator(run.net, run.config, device=torch.device("cpu"))
    rows = []
    for stems, mixture in songs:
        estimates = separator.separate(mixture)
        rows.append(sdr(stems, np.stack([estimates[stem] for stem in STEMS])))
    per_stem = np.nanmean(np.array(rows), axis=0)
    return [*per_stem.tolist(), float(per_stem.mean())]


def main() -> None:
    """Score every run on every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder that training made")
    parser.add_argument("--data", action="append", required=True, metavar="FOLDER", help="songs to score")
    parser.add_argument("--split", default="test", help="which of their songs (default: test; a plain folder's are)")
    parser.add_argument("--csv", type=Path, help="file to append the rows to")
    arguments = parser.parse_args()
    sets = {}
    for data in arguments.data:
        sets[dataset_label(data)] = [track.load() for track in open_dataset(data) if track.split == arguments.split]
    for folder in arguments.runs:
        for label, songs in sets.items():
            row = [folder.name, label, *(f"{value:.2f}" for value in score(folder, songs))]
            print(*row, flush=True)
            if arguments.csv:
                with arguments.csv.open("a", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerow(row)


if __name__ == "__main__":
    main()
