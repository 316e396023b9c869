"""Room on the disk, asked for before it is needed."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from demix.errors import DemixError

SPARE_BYTES = 64 << 20  # for the file system's own tables


def require_room(needs: Mapping[Path, int]) -> None:
    """Check that the disks can take what is to come, before it comes.

    Args:
        needs: bytes needed at each place; places on one disk are added up.

    Raises:
        DemixError: for the first disk that is too small.
    """
    disks: dict[int, tuple[Path, int]] = {}
    for place, needed in needs.items():
        existing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        device = existing.stat().st_dev
        disks[device] = (existing, disks.get(device, (existing, SPARE_BYTES))[1] + needed)
    for existing, needed in disks.values():
        free = shutil.disk_usage(existing).free
        if free < needed:
            raise DemixError(
                f"{existing}: expected {readable(needed)} of free disk, of which {readable(SPARE_BYTES)} are to stay "
                f"free, received {readable(free)}; free some room or choose a folder on another disk"
            )


def readable(count: int) -> str:
    """Return a number of bytes as people write it, in decimal units.

    Example:
        >>> readable(4_684_228_845)
        '4.7 GB'
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
