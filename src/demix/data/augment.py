"""Random changes to one training segment's stems; all randomness comes in as `rng`."""

import numpy as np

from demix import config
from demix.data.track import Audio


def augment(stems: Audio, settings: config.Augment, *, rng: np.random.Generator) -> Audio:
    """Scale, mirror and invert each stem on its own.

    Args:
        stems: `(stems, channels, samples)`; not changed.
        settings: ranges and shares.
        rng: source of randomness; the same number of draws for every segment, so that one setting's value does not
            change what the others draw.

    Returns:
        `(stems, channels, samples)`.
    """
    count = len(stems)
    gain_db = rng.uniform(-1, 1, count) * settings.gain_db
    sign = np.where(rng.random(count) < settings.polarity, -1, 1)
    swap = rng.random(count) < settings.swap
    factor = (sign * 10 ** (gain_db / 20)).astype(np.float32)
    changed = stems * factor[:, None, None]
    changed[swap] = changed[swap, ::-1]
    return changed
