"""Single drum hits, cut from a drum stem: where one begins, how clean it is, whether it is low, mid or high."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.data.loop_patterns import KINDS
from demix.data.track import Audio
from demix.errors import DemixError

EDGES_HZ = {"low": (0.0, 200.0), "mid": (200.0, 4000.0), "high": (4000.0, SAMPLE_RATE / 2)}
LEAST_CONTRAST_DB = 6.0  # a hit this much above what sounds just before it is clean
LEAST_LEVEL_DB = -60.0  # dBFS; below it there is nothing to cut
CHOICE = 8  # of each kind a hit is drawn from so many
HOP = 256  # samples between two looks for an onset: 6 ms
FADE_IN, FADE_OUT = 44, 662  # samples: 1 ms, 15 ms
BEFORE = 88  # samples kept before the attack: 2 ms


@dataclass(frozen=True)
class Hit:
    """One hit.

    Args:
        kind: `low`, `mid` or `high`.
        start: where in the stem it begins, in samples.
        waveform: `(channels, samples)`, faded in and out.
    """

    kind: str
    start: int
    waveform: Audio


@dataclass(frozen=True)
class Candidate:
    """A place where a hit could be cut.

    Args:
        start: in samples.
        level_db: of the piece, dBFS.
        contrast_db: how far it is above what sounds just before.
        alone: whether no other onset falls into the piece.
        shares: of its energy in each band of `EDGES_HZ`.
    """

    start: int
    level_db: float
    contrast_db: float
    alone: bool
    shares: dict[str, float]


def find_hits(drums: Audio, *, samples: int) -> list[Candidate]:
    """Find all places in a drum stem where a hit can be cut.

    Args:
        drums: `(channels, samples)`.
        samples: length of a hit.

    Returns:
        Candidates in the order of time, with digital silence and near-silence left out.

    Raises:
        DemixError: when librosa is not installed.
    """
    try:
        from librosa.onset import onset_detect
    except ImportError as error:
        raise DemixError("loops: expected librosa, which is missing; pip install 'demix-lab[report]'") from error
    mono = drums.mean(axis=0)
    if not mono.any():
        return []
    onsets = onset_detect(y=mono, sr=SAMPLE_RATE, hop_length=HOP, units="samples")
    starts = [_attack(mono, int(onset)) for onset in onsets]
    found = []
    for start, following in zip(starts, [*starts[1:], len(mono)], strict=True):
        piece = drums[:, start : start + samples]
        if piece.shape[1] < samples or start < samples // 4:  # cut off, or nothing before it to compare with
            continue
        level_db = _level_db(piece)
        before_db = _level_db(drums[:, start - samples // 4 : start])
        if level_db > LEAST_LEVEL_DB:
            alone = following - start >= samples
            found.append(Candidate(start, level_db, level_db - before_db, alone, _shares(piece)))
    return found


def choose_hits(
    drums: Audio, candidates: Sequence[Candidate], *, samples: int, rng: np.random.Generator
) -> tuple[Hit, ...]:
    """Choose one distinct hit for each of `KINDS` and cut it.

    Of the candidates whose energy is mostly in the kind's band, the clean ones that sound alone come first, the loudest
    of these before others; one is drawn from the first `CHOICE`. Where a stem has no such hit (a drummer without
    cymbals) those with the largest share of the band stand in.

    Args:
        drums: the stem the candidates were found in, `(channels, samples)`.
        candidates: what `find_hits` found.
        samples: length of a hit.
        rng: where chance comes from.

    Raises:
        DemixError: with fewer candidates than kinds.
    """
    if len(candidates) < len(KINDS):
        raise DemixError(f"expected drums with at least {len(KINDS)} hits, found {len(candidates)}; leave the song out")
    chosen: list[Candidate] = []
    for kind in KINDS:
        left = [candidate for candidate in candidates if candidate not in chosen]
        of_kind = [each for each in left if max(each.shares, key=lambda band: each.shares[band]) == kind]
        if not of_kind:
            of_kind = sorted(left, key=lambda each: -each.shares[kind])[:CHOICE]
        ranked = sorted(
            of_kind, key=lambda each: (not each.alone, each.contrast_db < LEAST_CONTRAST_DB, -each.level_db)
        )
        chosen.append(ranked[int(rng.integers(min(CHOICE, len(ranked))))])
    return tuple(
        Hit(kind, each.start, cut(drums, each.start, samples)) for kind, each in zip(KINDS, chosen, strict=True)
    )


def cut(drums: Audio, start: int, samples: int) -> Audio:
    """Cut a piece and fade its ends, so that it neither clicks nor depends on what follows it."""
    envelope = np.ones(samples, np.float32)
    envelope[:FADE_IN] = _rise(FADE_IN)
    envelope[-FADE_OUT:] *= _rise(FADE_OUT)[::-1]
    return drums[:, start : start + samples] * envelope


def _rise(samples: int) -> npt.NDArray[np.float32]:
    """Half a raised cosine from 0 to 1."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / samples)).astype(np.float32)


def _attack(mono: npt.NDArray[np.float32], onset: int) -> int:
    """Return where the attack near an onset begins; onsets are known to a few frames only.

    It is taken to begin where the waveform first reaches a fifth of its peak of the next 50 ms.
    """
    begin = max(0, onset - 5 * HOP)
    near = np.abs(mono[begin : onset + SAMPLE_RATE // 20])
    return max(0, begin + int(np.argmax(near >= 0.2 * near.max())) - BEFORE)


def _level_db(piece: Audio) -> float:
    return float(10 * np.log10(np.square(piece, dtype=np.float64).mean() + 1e-12))


def _shares(piece: Audio) -> dict[str, float]:
    power = np.square(np.abs(np.fft.rfft(piece * np.hanning(piece.shape[1]), axis=1))).sum(axis=0)
    hertz = np.fft.rfftfreq(piece.shape[1], 1 / SAMPLE_RATE)
    total = float(power.sum()) + 1e-12
    return {kind: float(power[(hertz >= low) & (hertz < high)].sum()) / total for kind, (low, high) in EDGES_HZ.items()}
