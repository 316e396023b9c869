"""How far a net listens: where the last hundredth of its context's effect is gone."""

import numpy as np

from demix.evaluation.probes.moments import Floats

LAST_SHARE = 0.01  # of the change at the smallest radius
REACHED_SHARE = 0.8  # of the window: beyond, too little of it is left to replace to say that a curve has gone flat
DEAF = 1e-9  # of the true stem's energy: changes below it are rounding


def find_bracket(radii: Floats, change: Floats) -> tuple[float, float] | None:
    """Return the neighbouring radii between which change falls to its last hundredth for good.

    Args:
        radii: in seconds, rising; the last is the end of the window, where change is 0.
        change: energy of the estimate's change at each, over the true stem's energy.

    Returns:
        The two radii; None where change is undefined, rounding everywhere, or does not fall before the last radius.
    """
    if not change[0] > DEAF:
        return None
    last = int(np.flatnonzero(change > LAST_SHARE * change[0])[-1])
    return None if last + 2 >= len(radii) else (float(radii[last]), float(radii[last + 1]))


def listening_radius(radii: Floats, change: Floats) -> tuple[float, bool]:
    """Return the radius inside which 99 % of the context's effect comes from.

    It is where the energy of the change has fallen to 1 % of its value at the smallest radius and stays there,
    interpolated in the radius's logarithm. A net that weighs all frames up to `R` alike is found at 0.84 R to R
    (`tests/probes`): replacing its outermost tenth on both sides changes the sum by a tenth, and so the energy by 1 %.

    Args:
        radii: as for `find_bracket`.
        change: as for `find_bracket`.

    Returns:
        The radius in seconds, and whether it reaches the edge: change does not fall so far inside what was probed, and
        the radius is the end of the window. The smallest radius for a net that does not hear context; NaN where the
        change is undefined.
    """
    if np.isnan(change[0]):
        return float("nan"), False
    if change[0] <= DEAF:
        return float(radii[0]), False
    bracket = find_bracket(radii, change)
    if bracket is None:
        return float(radii[-1]), True
    low, high = (change[radii == radius][0] / change[0] for radius in bracket)
    share = (low - LAST_SHARE) / (low - high)
    return float(bracket[0] * (bracket[1] / bracket[0]) ** share), False
