"""What every export must pass: masks on real music, compared with the net's."""

from pathlib import Path

from demix.data import open_dataset
from demix.data.track import Audio
from demix.errors import DemixError

TOLERANCE = 1e-4  # largest difference of a mask, which lies between 0 and 1
CHECKED_SPLIT = "valid"


def load_checked_music() -> Audio:
    """Return the embedded song that exports are checked on, `(channels, samples)`."""
    return next(track for track in open_dataset("free") if track.split == CHECKED_SPLIT).mixture()


def check_difference(path: Path, difference: float) -> None:
    """Raise `DemixError` unless masks are within `TOLERANCE` of the net's; NaN is not."""
    if not difference <= TOLERANCE:
        raise DemixError(
            f"{path}: expected masks within {TOLERANCE} of the net's, but they differ by {difference:.2g}; "
            "nothing is written; report it with the run's settings"
        )
