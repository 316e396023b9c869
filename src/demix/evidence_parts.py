"""Parts of the evidence that need no training: lengths of chunks at inference, probes, counterfactual songs."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from demix import metrics
from demix.config import STEMS
from demix.data.track import Track
from demix.evidence_runs import Trained
from demix.files import atomic
from demix.pretrained import make_separator
from demix.runtime import load_run, pick_device

Tell = Callable[[str, float, float, str], None]  # stage, done, total, detail
CHUNK_COLUMNS = ("system", "group", "seed", "chunk_seconds", "track", "stem", "sdr")


def score_chunks(
    runs: Sequence[Trained], songs: Sequence[Track], out: Path, chunk_seconds: Sequence[float], *, tell: Tell
) -> None:
    """Separate songs with trained nets in chunks of other lengths than they were trained on, into `out/chunks.csv`.

    The file is left as it is where it is there: `evaluate` removes it with the scores that it belongs to.
    """
    path = out / "chunks.csv"
    if path.is_file():
        return
    rows = []
    total = len(runs) * len(songs) * len(chunk_seconds)
    for place, trained in enumerate(runs):
        run = load_run(trained.run.folder, device=trained.run.settings.training.device)
        separator = make_separator(run.net, run.config, device=pick_device(trained.run.settings.training.device))
        for number, track in enumerate(songs):
            stems, mixture = track.load()
            for each, seconds in enumerate(chunk_seconds):
                done = (place * len(songs) + number) * len(chunk_seconds) + each
                tell("score chunks", done, total, f"{run.name} on {track.name} in chunks of {seconds:g} s")
                parts = replace(separator, chunk_seconds=seconds).separate(mixture)
                scores = metrics.sdr(stems, np.stack([parts[stem] for stem in STEMS]))
                start = (run.name, trained.variant.group, trained.seed, f"{seconds:g}", track.name)
                rows += [(*start, stem, _number(score)) for stem, score in zip(STEMS, scores, strict=True)]
    tell("score chunks", total, total, "")
    _write(path, CHUNK_COLUMNS, rows)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with atomic(path) as file:
        file.write(text.getvalue().encode())
