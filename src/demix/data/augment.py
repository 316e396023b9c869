"""Random changes to the stems of one training segment; all randomness comes in as `rng`."""

import numpy as np
import numpy.typing as npt

from demix import config


def draw_changes(
    count: int, settings: config.Augment, *, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Draw how each stem is scaled, inverted and mirrored.

    Args:
        count: number of stems.
        settings: ranges and shares.
        rng: source of randomness; the same number of draws for every segment, so that one setting's value does not
            change what the others draw.

    Returns:
        A factor for each stem, negative where it is inverted, and whether its left and right are exchanged; `(stems,)`.
    """
    gain_db = rng.uniform(-1, 1, count) * settings.gain_db
    sign = np.where(rng.random(count) < settings.polarity, -1, 1)
    swap = rng.random(count) < settings.swap
    return sign * 10 ** (gain_db / 20), swap
