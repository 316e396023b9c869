"""Write `src/demix/evaluation/sisec18.csv`: how far SiSEC 2018's scores, and their differences, spread over songs.

    python benchmarks/sisec18_spread.py tests/vectors/sisec18_tracks.csv [OUTPUT]

INPUT has a row per submission, stem (`target`) and song of MUSDB18's test set: the song's median SDR (museval v4),
taken from the campaign's public result files (github.com/sigsep/sigsep-mus-2018). Two kinds of rows come out: a
submission's scores (`second` is empty), and the paired differences of two that are comparable: both trained, four
stems, and the medians of their songs' means over stems no further apart than `COMPARABLE_DB`.
"""

import csv
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

STEMS = ("vocals", "drums", "bass", "other")
SPREADS = ("low_db", "median_db", "high_db", "mean_db", "sd_db", "robust_sd_db")
COLUMNS = ("first", "second", "kind", "stem", "songs", *SPREADS, "wins")
KINDS = {
    "mixture": ("MIX",),
    "oracle": ("IBM1", "IBM2", "IRM1", "IRM2", "MWF"),
    "blind": ("2DFT", "HEL1", "HPLP", "HPSS", "MELO", "REP1", "REP2", "RPCA"),
    "trained on more songs": ("STL1", "TAK2", "TAK3", "TAU1", "UHL3"),
}  # what is in none of them was trained on MUSDB18's 100 songs
COMPARABLE_DB = 1.0
NORMAL_QUARTILES = 1.349  # how many standard deviations a normal distribution's quartiles are apart
OUTPUT = Path(__file__).parents[1] / "src" / "demix" / "evaluation" / "sisec18.csv"

Scores = dict[str, dict[str, npt.NDArray[np.float64]]]


def main() -> None:
    """Read INPUT, write OUTPUT."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT
    scores = read(source)
    rows = [row(name, "", stem, values) for name, stems in scores.items() for stem, values in stems.items()]
    for first, second in combinations([name for name in scores if is_trained(name) and "mean" in scores[name]], 2):
        if abs(np.median(scores[first]["mean"]) - np.median(scores[second]["mean"])) <= COMPARABLE_DB:
            for stem in (*STEMS, "mean"):
                rows.append(row(first, second, stem, scores[first][stem] - scores[second][stem]))
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
    print(f"{len(rows)} rows in {target}")


def read(source: Path) -> Scores:
    """Read `{submission: {stem: (songs,)}}`, songs in one order; `mean` where all four stems are there."""
    with source.open(encoding="utf-8", newline="") as file:
        found = [line for line in csv.DictReader(file) if line["target"] in STEMS]
    songs = {track: place for place, track in enumerate(sorted({line["track"] for line in found}))}
    scores: Scores = {}
    for line in found:
        values = scores.setdefault(line["submission"], {}).setdefault(line["target"], np.full(len(songs), np.nan))
        values[songs[line["track"]]] = float(line["SDR_median"])
    for stems in scores.values():
        if len(stems) == len(STEMS):
            stems["mean"] = np.mean([stems[stem] for stem in STEMS], axis=0)
    return dict(sorted(scores.items()))


def kind_of(name: str) -> str:
    """Say what sort of system a submission is."""
    return next((kind for kind, names in KINDS.items() if name in names), "trained")


def is_trained(name: str) -> bool:
    """Tell whether it learnt from songs, of MUSDB18 or more."""
    return kind_of(name).startswith("trained")


def row(first: str, second: str, stem: str, values: npt.NDArray[np.float64]) -> list[str]:
    """Sum up a stem's values over songs, `(songs,)`."""
    low, median, high = np.percentile(values, [25, 50, 75])
    spreads = low, median, high, values.mean(), values.std(ddof=1), (high - low) / NORMAL_QUARTILES
    kind = "difference" if second else kind_of(first)
    wins = str(int((values > 0).sum())) if second else ""
    return [first, second, kind, stem, str(len(values)), *(f"{value:.3f}" for value in spreads), wins]


if __name__ == "__main__":
    main()
