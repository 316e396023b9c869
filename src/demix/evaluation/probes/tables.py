"""The tables that probes write: rows in memory, CSV files in `results/<name>/probes`."""

from typing import NamedTuple


class ContextRow(NamedTuple):
    """A row of `context.csv`: one radius of a context curve.

    Args:
        system: name of the run.
        group: what it is pooled with over seeds.
        track: the song's name.
        stem: one of `STEMS`, or `mean`: of the stems that sound.
        fill: `song` or `silence`, what took the place of everything farther away.
        radius_seconds: from the frame.
        frames: at how many frames the stem sounds.
        sdr_db: SDR of these frames together with only what lies within the radius.
        loss_db: SDR with all context less `sdr_db`.
        low_db: lower end of the loss's 95 % interval for more frames of this song; NaN below two frames.
        high_db: upper end.
        change_share: energy of the estimate's change over the energy of its error, both against all context.
    """

    system: str
    group: str
    track: str
    stem: str
    fill: str
    radius_seconds: float
    frames: int
    sdr_db: float
    loss_db: float
    low_db: float
    high_db: float
    change_share: float


class ListeningRow(NamedTuple):
    """A row of `listening.csv`: how far a net listens in a song; see `listening.listening_radius`."""

    system: str
    group: str
    track: str
    stem: str
    fill: str
    radius_seconds: float
    reaches_edge: bool


class FieldRow(NamedTuple):
    """A row of `field.csv`: the share of the squared gradient that lies `offset_seconds` after the frame."""

    system: str
    group: str
    offset_seconds: float
    share: float


class FieldRadiusRow(NamedTuple):
    """A row of `field_radius.csv`: the radius that 95 % of the squared gradient lies in."""

    system: str
    group: str
    radius_seconds: float


class AttentionRow(NamedTuple):
    """A row of `attention.csv`: how far one head looks.

    Args:
        system: name of the run.
        group: what it is pooled with over seeds.
        layer: block, counted from 0.
        head: counted from 0.
        mean_seconds: mean distance in time between a query and what it attends to.
        p90_seconds: distance within which 90 % of the weights lie.
        mean_rows: mean distance in rows of patches.
        entropy_share: entropy of the weights over the greatest that it could be: 1 attends to all alike.
    """

    system: str
    group: str
    layer: int
    head: int
    mean_seconds: float
    p90_seconds: float
    mean_rows: float
    entropy_share: float
