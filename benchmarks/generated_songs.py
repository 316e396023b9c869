"""Are generated songs like real ones? A figure of both, its numbers beside it as CSV.

    python benchmarks/generated_songs.py GENERATED --real FOLDER [--real FOLDER ...] [--without SONG ...]
        [--songs 40] [--values data/temp/generated-songs.csv] [--out docs/generated.png]

What has been measured of a song is kept in VALUES and not measured again: about five seconds of a core for every song.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from generated_figure import draw
from song_statistics import Value, measure

from demix.data import dataset_label, open_dataset
from demix.rows import write_rows

FIELDS = ("set", "song", *Value._fields)
SUMMARY_FIELDS = ("set", "measure", "stem", "at", "songs", "low", "median", "high")

Values = dict[str, dict[str, list[Value]]]  # by set and song


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description="Compare generated songs with real ones.")
    parser.add_argument("generated", type=Path)
    parser.add_argument("--real", type=Path, action="append", required=True)
    parser.add_argument("--without", action="append", default=[], help="name of a real song to leave out")
    parser.add_argument("--songs", type=int, default=40, help="how many of the generated ones")
    parser.add_argument("--values", type=Path, default=Path("data/temp/generated-songs.csv"))
    parser.add_argument("--out", type=Path, default=Path("docs/generated.png"))
    arguments = parser.parse_args()
    kept = read(arguments.values)
    chosen: Values = {}
    for folder in (arguments.generated, *arguments.real):
        label = "generated" if folder == arguments.generated else dataset_label(str(folder))
        tracks = [track for track in open_dataset(folder) if track.name not in arguments.without]
        for track in tracks[: arguments.songs]:
            values = kept[label].get(track.name) or list(measure(track.stems()))
            if track.name not in kept[label]:
                kept[label][track.name] = values
                write(arguments.values, kept)
                print(f"{label}: {track.name}", flush=True)
            chosen.setdefault(label, {})[track.name] = values
    rows = [row for label, songs in chosen.items() for row in summarise(label, songs)]
    write_rows(arguments.out.with_suffix(".csv"), SUMMARY_FIELDS, rows)
    draw(chosen, arguments.out)


def summarise(label: str, songs: dict[str, list[Value]]) -> list[list[object]]:
    """Return a row for every number: its median and its 10th and 90th percentile over the songs."""
    found: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for values in songs.values():
        for value in values:
            found[value[:3]].append(value.value)
    rows: list[list[object]] = []
    for (name, stem, at), numbers in found.items():
        low, median, high = np.percentile(numbers, [10, 50, 90])
        rows.append([label, name, stem, f"{at:.5g}", len(numbers), *(f"{each:.3g}" for each in (low, median, high))])
    return rows


def read(path: Path) -> defaultdict[str, dict[str, list[Value]]]:
    """Read what has been measured before."""
    kept: defaultdict[str, dict[str, list[Value]]] = defaultdict(dict)
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                value = Value(row["measure"], row["stem"], float(row["at"]), float(row["value"]))
                kept[row["set"]].setdefault(row["song"], []).append(value)
    return kept


def write(path: Path, kept: Values) -> None:
    """Keep what has been measured."""
    rows = [
        (label, song, *value) for label, songs in kept.items() for song, values in songs.items() for value in values
    ]
    write_rows(path, FIELDS, rows)


if __name__ == "__main__":
    main()
