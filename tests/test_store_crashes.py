"""Killed, out of room or damaged: nothing half-written is ever taken for a whole store."""

import errno
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from demix.data import folder
from demix.data.store import INDEX, open_store, prepare
from demix.data.track import Track
from demix.errors import DemixError


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_a_killed_process_is_reported(tmp_path: Path) -> None:
    tracks = [Track(name, "train", partial(os._exit, 1), ()) for name in ("a", "b")]
    with pytest.raises(DemixError, match=r"process was killed.*fewer jobs"):
        prepare(tracks, tmp_path, jobs=2)
    assert not list(tmp_path.iterdir())


KILLED_AT_WRITE = """
import os, sys
from pathlib import Path
from demix.data import folder, store

left = int(sys.argv[3])
def die_at_last(descriptor):
    global left
    left -= 1
    if left == 0:
        os._exit(9)  # as kill -9 does: no clean-up runs

os.fsync = die_at_last
store.prepare(folder.tracks(Path(sys.argv[1])), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("write", "kept"), [(1, 0), (2, 0), (3, 1), (7, 3)])
def test_killed_at_any_write_it_goes_on(tmp_path: Path, songs: Path, write: int, kept: int) -> None:
    """Three songs are seven writes: song and row of each, then the index."""
    store = tmp_path / "store"
    command = [sys.executable, "-c", KILLED_AT_WRITE, str(songs), str(store), str(write)]
    assert subprocess.run(command, check=False).returncode == 9
    with pytest.raises(DemixError, match="goes on where it stopped"):
        open_store(store)
    tracks = folder.tracks(songs)
    result = prepare(tracks, store)
    assert len(result.skipped) == kept
    prepare(tracks, tmp_path / "fresh")
    assert contents(store) == contents(tmp_path / "fresh")


SLOW = """
import os, sys, time
from pathlib import Path
from demix.data import folder, store

os.fsync = lambda descriptor: time.sleep(0.3)  # between a file's last byte and its name
print(*sorted(store.prepare(folder.tracks(Path(sys.argv[1])), Path(sys.argv[2])).prepared))
"""


def test_of_two_runs_that_begin_at_once_one_prepares_and_the_other_waits(tmp_path: Path, songs: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(songs), str(tmp_path / "store")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate()[0].split() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(said) == [[], ["a", "b", "c"]]
    prepare(folder.tracks(songs), tmp_path / "fresh")
    assert contents(tmp_path / "store") == contents(tmp_path / "fresh")


def test_killed_while_songs_are_renewed_the_old_index_is_gone(tmp_path: Path, songs: Path) -> None:
    """It would describe songs that are being replaced."""
    store = tmp_path / "store"
    prepare(folder.tracks(songs), store)
    os.utime(songs / "train" / "a" / "bass.wav", ns=(1, 1))
    command = [sys.executable, "-c", KILLED_AT_WRITE, str(songs), str(store), "2"]
    assert subprocess.run(command, check=False).returncode == 9
    with pytest.raises(DemixError, match="goes on where it stopped"):
        open_store(store)
    assert prepare(folder.tracks(songs), store).skipped == ("b", "c")


ORPHANS = """
import multiprocessing, os, threading, time
from functools import partial
from pathlib import Path
from demix.data import Track, store

if __name__ == "__main__":
    tracks = [Track(name, "train", partial(time.sleep, 60), ()) for name in "ab"]
    threading.Thread(target=store.prepare, args=(tracks, Path("store")), kwargs={"jobs": 2}).start()
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.1)
    time.sleep(1)
    os._exit(9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="children do not inherit the pipe that is watched here")
def test_decoding_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """They hold its standard output: it ends only when all of them have."""
    (tmp_path / "orphans.py").write_text(ORPHANS)
    command = [sys.executable, "orphans.py"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=False, timeout=30)
    assert done.returncode == 9


def test_a_full_disk_is_told_and_leaves_no_half_song(
    tmp_path: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    tracks = folder.tracks(songs)
    prepare(tracks[:1], store)
    whole = contents(store)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(DemixError, match=f"{store}.*No space left.*free some room"):
            prepare(tracks, store)
    assert contents(store) == {name: content for name, content in whole.items() if name != INDEX}
    assert prepare(tracks, store).skipped == ("a",)


def test_damage_in_a_store_is_named_and_mended(tmp_path: Path, songs: Path) -> None:
    store = tmp_path / "store"
    tracks = folder.tracks(songs)
    prepare(tracks, store)
    whole = contents(store)
    for track, damage in zip(open_store(store), (whole[INDEX][:99], b"", None), strict=True):
        if damage is None:
            track.path.unlink()
        else:
            track.path.write_bytes(damage)
        with pytest.raises(DemixError, match=f"{track.path.name}.*prepare the set again"):
            open_store(store)
        with pytest.raises(DemixError, match=f"{track.path.name}.*prepare the set again"):
            track.audio()
        assert prepare(tracks, store).prepared == (track.name,)
        assert contents(store) == whole
