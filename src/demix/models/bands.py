"""Bands: the rows that the nets see instead of bins, narrow at low and wide at high frequencies.

Most of the energy of music lies below 500 Hz, in one fortieth of the bins. Rows spaced on a mel scale give it a larger
part of the picture, so a net that is given fewer rows than bins loses little of what SDR is made of. Bands are common
to mask estimators that do well (Luo and Yu 2023, *Music Source Separation with Band-Split RNN*; Wang et al. 2023,
*Mel-Band RoFormer for Music Source Separation*); here they do not overlap, and each is the mean power of its bins.
"""

import numpy as np

from demix.config import SAMPLE_RATE

MEL_CORNER_HZ = 700.0  # below it the mel scale is nearly linear, above nearly logarithmic (O'Shaughnessy 1987)


def band_edges(bands: int, bins: int) -> list[int]:
    """Divide the bins of a spectrum into bands of equal width in mel, at least one bin each.

    Args:
        bands: number of bands, at most `bins`; with as many as bins, each bin is a band.
        bins: bins of the spectrum, 0 Hz to half the sample rate.

    Returns:
        `bands + 1` bin numbers, rising from 0 to `bins`; band `i` is the bins from `edges[i]` to before `edges[i + 1]`.
    """
    highest_hz = SAMPLE_RATE / 2
    mel = np.linspace(0, np.log1p(highest_hz / MEL_CORNER_HZ), bands + 1)
    edges = np.round(np.expm1(mel) * MEL_CORNER_HZ / highest_hz * (bins - 1)).astype(int).tolist()
    edges[-1] = bins
    for band in range(1, bands):
        edges[band] = min(max(edges[band], edges[band - 1] + 1), bins - (bands - band))
    return edges
