"""Scores as tidy rows, in memory and as CSV files: what evaluation writes and the report reads.

Two files per results folder. `scores.csv` has a row per system, song, stem and metric; `seconds.csv` has the
energies behind them per second, from which every metric can be recomputed for any part of the songs.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import Audio, Split
from demix.errors import DemixError
from demix.metrics import METRICS, Energies, energies, mean_of_defined
from demix.rows import write_rows

Row = TypeVar("Row")

SILENT_LEVEL = "silent_level_dbfs"
LEVEL_FLOOR = 1e-12  # mean square that stands for digital silence: -120 dBFS


class ScoreRow(NamedTuple):
    """A row of `scores.csv`.

    Args:
        system: what was scored, as `unet` or `hpss`.
        track: the song's name.
        split: the song's split.
        stem: one of `STEMS`.
        metric: a name in `METRICS`, or `SILENT_LEVEL`: the level of the estimate of a stem that is silent in
            the whole song, in dB re full scale (root mean square over all channels).
        value: in dB; NaN (an empty cell) where undefined.
    """

    system: str
    track: str
    split: str
    stem: str
    metric: str
    value: float


class SecondRow(NamedTuple):
    """A row of `seconds.csv`: one stem in one second of one song; see `demix.metrics.Energies`.

    Args:
        system: what was scored.
        track: the song's name.
        stem: one of `STEMS`.
        second: counted from 0.
        samples: length; less than a second at the end of a song.
        reference_energy: of the true stem, summed over all channels.
        error_energy: of the difference between true stem and estimate.
        counted: whether it is a frame that counts for `sdr_bsseval`.
    """

    system: str
    track: str
    stem: str
    second: int
    samples: int
    reference_energy: float
    error_energy: float
    counted: bool


def score_track(
    references: Audio,
    estimates: Audio,
    *,
    system: str,
    track: str,
    split: Split = "test",
    sample_rate: int = SAMPLE_RATE,
) -> tuple[list[ScoreRow], list[SecondRow]]:
    """Score what one system made of one song with every metric in `METRICS`.

    Args:
        references: true stems, `(stems, channels, samples)` in the order of `STEMS`.
        estimates: estimated stems, of the same shape.
        system: name of the system.
        track: name of the song.
        split: split of the song.
        sample_rate: in Hz.

    Returns:
        The song's rows of `scores.csv` and of `seconds.csv`. A stem that is silent in the whole song has
        undefined scores and a row with its estimate's level.

    Raises:
        DemixError: when the shapes are not as said, or a value is not finite.
    """
    try:
        if len(references) != len(STEMS):
            raise DemixError(f"references: expected {', '.join(STEMS)}, received {len(references)} stems")
        song = energies(references, estimates, sample_rate=sample_rate)
    except DemixError as error:
        raise DemixError(f"{system} on {track}: {error}") from error
    values = {name: metric.score(song) for name, metric in METRICS.items()}
    scores = [
        ScoreRow(system, track, split, stem, metric, float(values[metric][index]))
        for index, stem in enumerate(STEMS)
        for metric in METRICS
    ]
    for index in np.flatnonzero(song.reference.sum(axis=-1) == 0):
        level_db = 10 * np.log10(np.mean(np.square(estimates[index], dtype=np.float64)) + LEVEL_FLOOR)
        scores.append(ScoreRow(system, track, split, STEMS[index], SILENT_LEVEL, float(level_db)))
    return scores, _second_rows(song, system, track, references.shape[-1], sample_rate)


def summarise(rows: Iterable[ScoreRow], metric: str) -> dict[str, dict[str, float]]:
    """Condense scores to one value per system and stem, and their mean over the stems.

    Args:
        rows: rows of one split.
        metric: a name in `METRICS`; it says whether songs are condensed by mean or by median.

    Returns:
        `{system: {stem: value, ..., "mean": value}}` in dB, systems in the order of their first row.
        Undefined scores enter nothing; a stem without any is NaN, and the mean is that of the others.

    Raises:
        DemixError: for an unknown metric.
    """
    if metric not in METRICS:
        raise DemixError(f"metric: expected one of {', '.join(METRICS)}, received {metric!r}")
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.metric == metric:
            values.setdefault(row.system, {stem: [] for stem in STEMS})[row.stem].append(row.value)
    summary = {}
    for system, of_stems in values.items():
        condensed = [METRICS[metric].over_songs(np.array(of_stems[stem] or [np.nan])) for stem in STEMS]
        summary[system] = {stem: float(value) for stem, value in zip(STEMS, condensed, strict=True)}
        summary[system]["mean"] = float(mean_of_defined(np.array(condensed)))
    return summary


def write_scores(path: Path, rows: Iterable[ScoreRow]) -> None:
    """Write `scores.csv`, whole or not at all.

    Raises:
        DemixError: when the file cannot be written.
    """
    cells = ([*row[:-1], "" if np.isnan(row.value) else f"{row.value:.6f}"] for row in rows)
    write_rows(path, ScoreRow._fields, cells)


def write_seconds(path: Path, rows: Iterable[SecondRow]) -> None:
    """Write `seconds.csv`, whole or not at all.

    Raises:
        DemixError: when the file cannot be written.
    """
    cells = ([*row[:5], f"{row.reference_energy:.10g}", f"{row.error_energy:.10g}", int(row.counted)] for row in rows)
    write_rows(path, SecondRow._fields, cells)


def read_scores(path: Path) -> list[ScoreRow]:
    """Read `scores.csv`.

    Raises:
        DemixError: when the file is missing or is not such a table.
    """

    def convert(cells: list[str]) -> ScoreRow:
        system, track, split, stem, metric, value = cells
        return ScoreRow(system, track, split, stem, metric, float(value or "nan"))

    return _read(path, ScoreRow._fields, convert)


def read_seconds(path: Path) -> list[SecondRow]:
    """Read `seconds.csv`.

    Raises:
        DemixError: when the file is missing or is not such a table.
    """

    def convert(cells: list[str]) -> SecondRow:
        system, track, stem, second, samples, reference, error, counted = cells
        energy = float(reference), float(error)
        return SecondRow(system, track, stem, int(second), int(samples), *energy, bool(int(counted)))

    return _read(path, SecondRow._fields, convert)


def _second_rows(song: Energies, system: str, track: str, samples: int, sample_rate: int) -> list[SecondRow]:
    return [
        SecondRow(
            system,
            track,
            stem,
            second,
            min(sample_rate, samples - second * sample_rate),
            float(song.reference[index, second]),
            float(song.error[index, second]),
            bool(song.counted[index, second]),
        )
        for index, stem in enumerate(STEMS)
        for second in range(song.reference.shape[-1])
    ]


def _read(path: Path, fields: Sequence[str], convert: Callable[[list[str]], Row]) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DemixError(f"{path}: cannot be read as a table ({error}); run `demix evaluate` again") from error
    if header != list(fields):
        raise DemixError(f"{path}: expected the columns {','.join(fields)}, received {','.join(header)}")
    rows = []
    for number, cells in enumerate(lines, start=2):
        try:
            rows.append(convert(cells))
        except ValueError as error:
            raise DemixError(
                f"{path}: row {number} is not one of {len(fields)} valid cells ({error}); run `demix evaluate` again"
            ) from error
    return rows
