"""What others measured: how SiSEC 2018's scores on MUSDB18's test songs spread, and their differences.

`sisec18.csv` is made by `benchmarks/sisec18_spread.py` from the campaign's public result files (Stöter, Liutkus and
Ito 2018, "The 2018 Signal Separation Evaluation Campaign"). All of it is `sdr_bsseval`, per song the median over
seconds; nothing of it was measured here.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from demix.config import STEMS
from demix.errors import DemixError

_TABLE = Path(__file__).with_name("sisec18.csv")


@dataclass(frozen=True)
class Spread:
    """How one submission's scores, or the paired differences of two, spread over songs; in dB.

    Args:
        submission: the campaign's name for it, as `TAK1`.
        against: the other submission, whose scores were subtracted; empty for a submission's own scores.
        kind: `mixture`, `oracle`, `blind`, `trained` (on MUSDB18's 100 songs), `trained on more songs`, `difference`.
        stem: one of `STEMS`, or `mean`: the mean of the song's four stems.
        songs: number of songs.
        low_db: lower quartile.
        median_db: median.
        high_db: upper quartile.
        mean_db: mean.
        sd_db: standard deviation.
        robust_sd_db: distance of the quartiles over 1.349: what the standard deviation would be without the tails.
        wins: songs on which the first is ahead; None for a submission's own scores.
    """

    submission: str
    against: str
    kind: str
    stem: str
    songs: int
    low_db: float
    median_db: float
    high_db: float
    mean_db: float
    sd_db: float
    robust_sd_db: float
    wins: int | None


def read_spread() -> list[Spread]:
    """Return the submissions' own scores, for a table of the literature; ordered by name, then stem."""
    return [row for row in _read() if not row.against]


def read_pairs() -> list[Spread]:
    """Return the paired differences of comparable submissions: trained, four stems, medians within 1 dB."""
    return [row for row in _read() if row.against]


def typical_song_sd(stem: str = "mean", *, robust: bool = False) -> float:
    """Return the standard deviation over songs that a paired difference of two comparable systems usually has, in dB.

    It is the median over the pairs of `read_pairs`: what to plan with before anything was measured. Planning takes the
    plain standard deviation and not the robust one, half of it: a few songs with nearly silent vocals differ by 10 dB
    and more, and those tails are in the mean that the interval is about. Who plans without them plans too few songs.

    Args:
        stem: one of `STEMS`, or `mean`.
        robust: take that of the quartiles, which says how far *most* songs are from each other.

    Raises:
        DemixError: for an unknown stem.
    """
    if stem not in (*STEMS, "mean"):
        raise DemixError(f"stem: expected one of {', '.join(STEMS)} or mean, received {stem!r}")
    rows = [row for row in read_pairs() if row.stem == stem]
    return median(row.robust_sd_db if robust else row.sd_db for row in rows)


@cache
def _read() -> tuple[Spread, ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(_parse(line) for line in csv.DictReader(file))


def _parse(line: dict[str, str]) -> Spread:
    return Spread(
        submission=line["first"],
        against=line["second"],
        kind=line["kind"],
        stem=line["stem"],
        songs=int(line["songs"]),
        low_db=float(line["low_db"]),
        median_db=float(line["median_db"]),
        high_db=float(line["high_db"]),
        mean_db=float(line["mean_db"]),
        sd_db=float(line["sd_db"]),
        robust_sd_db=float(line["robust_sd_db"]),
        wins=int(line["wins"]) if line["wins"] else None,
    )
