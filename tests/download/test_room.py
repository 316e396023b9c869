"""Room on the disk is asked for before it is needed."""

import shutil
from collections import namedtuple

import pytest

from demix.data.room import SPARE_BYTES, readable, require_room
from demix.errors import DemixError

Usage = namedtuple("Usage", "total used free")


def test_room_is_added_up_per_disk(tmp_path, monkeypatch):
    free = 1000 + SPARE_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free, 0, free))
    require_room({tmp_path / "temp": 400, tmp_path / "raw" / "set": 600})
    with pytest.raises(DemixError, match="of free disk"):
        require_room({tmp_path / "temp": 400, tmp_path / "raw" / "set": 601})


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (147_209_385, "147.2 MB"), (22_656_664_047, "22.7 GB")],
)
def test_bytes_are_written_as_people_do(count, text):
    assert readable(count) == text
