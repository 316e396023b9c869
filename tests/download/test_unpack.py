"""A zip archive becomes a folder whole or not at all."""

import io
import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from demix.data import unpack as unpack_module
from demix.data.events import Event
from demix.data.unpack import DamagedArchiveError, unpack
from demix.errors import DemixError

FILES = {
    "train/A - B.stem.mp4": np.random.default_rng(0).bytes(5000),
    "train/C.stem.mp4": b"c" * 3000,
    "test/Ø & Æ.stem.mp4": b"",
    "README.md": b"# readme",
}
Usage = namedtuple("Usage", "total used free")


def make_zip(files, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.mkdir("train")
        for name, body in files.items():
            file.writestr(name, body)
    return buffer.getvalue()


def read_tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip(FILES))
    return path


def test_all_files_arrive_with_their_contents_and_nothing_else(archive, tmp_path):
    events: list[Event] = []
    target = unpack(archive, tmp_path / "raw" / "set", on_event=events.append)
    assert read_tree(target) == FILES
    assert [path.name for path in target.parent.iterdir()] == ["set"]
    total = sum(map(len, FILES.values()))
    assert events[-1] == Event("unpack", total, total)
    assert [event.done for event in events] == sorted(event.done for event in events)


def test_the_target_does_not_exist_before_everything_is_there(archive, tmp_path):
    target = tmp_path / "raw" / "set"
    unpack(archive, target, on_event=lambda _: target.exists() and pytest.fail("half a set has the name"))


def test_what_a_killed_run_left_is_removed(archive, tmp_path):
    left = tmp_path / ".set.unpacking"
    (left / "train").mkdir(parents=True)
    (left / "train" / "half.stem.mp4").write_bytes(b"half")
    assert read_tree(unpack(archive, tmp_path / "set")) == FILES
    assert not left.exists()


def test_an_interruption_leaves_nothing(archive, tmp_path):
    def interrupt(event: Event) -> None:
        if event.done > 4000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "raw" / "set", on_event=interrupt)
    assert list((tmp_path / "raw").iterdir()) == []


def test_files_that_vanish_meanwhile_are_missed(archive, tmp_path):
    def clear(event: Event) -> None:
        if event.done > 4000:
            (tmp_path / "raw" / ".set.unpacking" / "train" / "A - B.stem.mp4").unlink(missing_ok=True)

    with pytest.raises(DemixError, match="expected 5000 bytes on the disk, found 0"):
        unpack(archive, tmp_path / "raw" / "set", on_event=clear)
    assert list((tmp_path / "raw").iterdir()) == []


def test_an_empty_target_is_replaced_and_a_full_one_kept(archive, tmp_path):
    target = tmp_path / "set"
    target.mkdir()
    unpack(archive, target)
    (target / "README.md").write_text("mine")
    with pytest.raises(DemixError, match="cannot be written"):
        unpack(archive, target)
    assert (target / "README.md").read_text() == "mine"


def test_the_check_sees_the_files_and_can_refuse_them(archive, tmp_path):
    def refuse(folder: Path) -> None:
        assert read_tree(folder) == FILES
        raise DemixError("not the set")

    with pytest.raises(DemixError, match="not the set"):
        unpack(archive, tmp_path / "raw" / "set", check=refuse)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_truncated_archive_is_damaged_wherever_it_ends(tmp_path):
    whole = make_zip(FILES)
    archive = tmp_path / "a.zip"
    for length in range(0, len(whole), 97):
        archive.write_bytes(whole[:length])
        with pytest.raises(DamagedArchiveError, match="received a damaged one"):
            unpack(archive, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [archive]


def test_no_damaged_byte_makes_another_set(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # hundreds of them take long
    files = {"train/A": b"first", "B": b""}
    whole = make_zip(files, zipfile.ZIP_STORED)
    archive, target = tmp_path / "a.zip", tmp_path / "set"
    for place, byte in enumerate(whole):
        for other in {byte ^ 0xFF, ord("/")} - {byte}:
            archive.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
            try:
                unpack(archive, target)
            except DemixError:
                assert not target.exists(), (place, other)
            else:
                assert read_tree(target) == files, (place, other)
                shutil.rmtree(target)


@pytest.mark.parametrize("name", ["../evil", "/evil", "train/../../evil", "C:/evil", "train\\..\\evil"])
def test_no_file_leaves_the_folder(tmp_path, name):
    archive = tmp_path / "a.zip"
    archive.write_bytes(make_zip({**FILES, name: b"evil"}))
    with pytest.raises(DemixError, match="only files inside the data set"):
        unpack(archive, tmp_path / "raw" / "set")
    assert [path.name for path in tmp_path.rglob("*") if "evil" in path.name] == []
    assert not (tmp_path / "raw" / "set").exists()


def test_a_full_disk_is_noticed_before_a_file_is_written(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 5, 5))
    with pytest.raises(DemixError, match="free some room"):
        unpack(archive, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(archive, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DemixError, match="No space left on device"):
        unpack(archive, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_fault_of_the_listener_is_not_taken_for_a_damaged_archive(archive, tmp_path):
    def fail(_: Event) -> None:
        raise ValueError("a bug in a progress bar")

    with pytest.raises(ValueError, match="a bug"):
        unpack(archive, tmp_path / "set", on_event=fail)


def test_the_long_count_of_a_large_archive_is_read(tmp_path):
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", b"")
        file.filelist *= 0x10001
    assert unpack_module._promised_members(archive) == 0x10001
