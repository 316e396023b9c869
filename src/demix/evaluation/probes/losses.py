"""From the energies of a context curve to rows in dB, with intervals."""

import numpy as np
from scipy.special import stdtrit

from demix.config import STEMS
from demix.evaluation.probes.context import Curve
from demix.evaluation.probes.listening import listening_radius
from demix.evaluation.probes.moments import Floats
from demix.evaluation.probes.tables import ContextRow, ListeningRow

RESAMPLES = 1000
CONFIDENCE = 0.95
LEAST = 1e-12  # of the true stem's energy: an error that counts, so that a perfect estimate has a finite SDR

ROWS = (*STEMS, "mean")


def context_rows(curve: Curve, *, system: str, group: str, seed: int = 0) -> list[ContextRow]:
    """Turn a curve into a row for every stem that sounds and every radius, and the mean of these stems."""
    reference, error = _counted(curve)
    heard = reference.sum(axis=0) > 0
    if not heard.any():
        return []
    sdr = 10 * np.log10(_divide(reference.sum(axis=0), error.sum(axis=1)))
    change = (curve.change * curve.sounding).sum(axis=1)
    of_stems = np.stack([sdr, sdr[-1] - sdr, _divide(change, error[-1].sum(axis=0))])
    values = np.concatenate([of_stems, of_stems[..., heard].mean(axis=-1, keepdims=True)], axis=-1)
    half = _half_widths(reference, error, seed)
    frames = [*curve.sounding.sum(axis=0), curve.sounding.any(axis=1).sum()]
    return [
        ContextRow(
            system,
            group,
            curve.track,
            ROWS[stem],
            curve.fill,
            radius_seconds=float(radius),
            frames=int(frames[stem]),
            sdr_db=float(values[0, place, stem]),
            loss_db=float(values[1, place, stem]),
            low_db=float(values[1, place, stem] - half[place, stem]),
            high_db=float(values[1, place, stem] + half[place, stem]),
            change_share=float(values[2, place, stem]),
        )
        for stem in [*np.flatnonzero(heard), len(STEMS)]
        for place, radius in enumerate(curve.radii)
    ]


def listening_rows(curve: Curve, *, system: str, group: str) -> list[ListeningRow]:
    """Return how far the net listens for every stem that sounds, and for their mean change."""
    rows = []
    for stem, change in zip(ROWS, curve.relative_change().T, strict=True):
        radius, reaches_edge = listening_radius(curve.radii, change)
        if not np.isnan(radius):
            rows.append(ListeningRow(system, group, curve.track, stem, curve.fill, radius, reaches_edge))
    return rows


def _counted(curve: Curve) -> tuple[Floats, Floats]:
    """Return reference `(moments, stems)` and error `(radii, moments, stems)`, 0 where a stem does not sound."""
    reference = curve.reference * curve.sounding
    return reference, np.maximum(curve.error * curve.sounding, LEAST * reference)


def _half_widths(reference: Floats, error: Floats, seed: int) -> Floats:
    """Return half of the losses' intervals, `(radii, stems + 1)`: of every stem, and of the mean of those that sound.

    Moments are drawn with replacement and all of a draw's are pooled. The interval is Student's t times the
    bootstrap's standard error, corrected for few moments (Hesterberg 2015), as in `demix.evaluation.statistics`. A draw
    in which a stem does not sound has no score.
    """
    moments, stems = reference.shape
    drawn = np.random.default_rng(seed).multinomial(moments, [1 / moments] * moments, size=RESAMPLES).astype(float)
    error_of_draw = np.einsum("dm,rms->drs", drawn, error)
    losses = 10 * np.log10(_divide(error_of_draw, error_of_draw[:, -1:]))
    sounding = reference > 0
    heard = sounding.any(axis=0)
    mean = losses[..., heard].mean(axis=-1)
    counts = [*sounding.sum(axis=0), sounding.any(axis=1).sum()]
    half = np.full((len(error), stems + 1), np.nan)
    for index, values in enumerate([*np.moveaxis(losses, -1, 0), mean]):
        defined = values[np.isfinite(values[:, 0])]
        count = int(counts[index])
        if count > 1 and len(defined) > 1:
            correction = np.sqrt(count / (count - 1))
            half[:, index] = stdtrit(count - 1, (1 + CONFIDENCE) / 2) * correction * defined.std(axis=0, ddof=1)
    return half


def _divide(above: Floats, below: Floats) -> Floats:
    """Divide; NaN by zero: where nothing sounds, nothing is defined."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.asarray(np.divide(above, below, out=np.full(shape, np.nan), where=below > 0))
