"""Prepared data sets: what goes in comes out, whatever happens on the way."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.config import STEMS
from demix.data import folder, musdb
from demix.data.levels import level_db, silent_share
from demix.data.store import INDEX, PrepareEvent, open_store, prepare
from demix.data.stored import slug
from demix.data.track import Track
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


@pytest.fixture
def songs(tmp_path: Path, song_excerpt: Audio, make_folder_song: Make) -> Path:
    """Three songs of half a second: one for each split."""
    for start, name in enumerate(("train/a", "valid/b", "test/c")):
        piece = song_excerpt[:, :, 66_150 + start * 22_050 :][:, :, :22_050]
        make_folder_song(tmp_path / "songs" / name, **dict(zip(STEMS, piece, strict=True)))
    return tmp_path / "songs"


def made(stems: Audio, mixture: Audio | None = None, name: str = "a") -> Track:
    """Return a song that needs no files."""
    return Track(name, "train", lambda: (stems, mixture), ())


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_songs_come_out_as_they_went_in(tmp_path: Path, songs: Path) -> None:
    tracks = folder.tracks(songs)
    result = prepare(tracks, tmp_path / "store")
    assert (result.prepared, result.skipped, result.failed) == (("a", "b", "c"), (), {})
    stored = open_store(tmp_path / "store")
    assert [(track.name, track.split) for track in stored] == [("a", "train"), ("b", "valid"), ("c", "test")]
    for track, copy in zip(tracks, stored, strict=True):
        audio = copy.audio()
        assert isinstance(audio, np.memmap)
        assert audio.dtype == np.int16
        assert audio.shape == (4, 2, copy.samples)
        assert not copy.has_mixture
        assert np.abs(audio * copy.scale - track.stems()).max() <= copy.scale * 0.51


def test_the_real_excerpt_is_not_clipped_and_keeps_its_mixture(tmp_path: Path, falcon: Path) -> None:
    stems, mixture = musdb.read_stem_mp4(falcon)
    prepare([made(stems, mixture)], tmp_path)
    (stored,) = open_store(tmp_path)
    audio = stored.audio()
    assert audio.shape == (5, 2, 268_288)
    assert np.abs(audio[:4] * stored.scale - stems).max() <= stored.scale * 0.51
    assert np.abs(audio[4] * stored.scale - mixture).max() <= stored.scale * 0.51
    assert np.abs(audio[4] * stored.scale).max() > 1
    assert stored.scale == pytest.approx(np.abs(mixture).max() / 32767)


def test_a_mixture_is_stored_unless_it_is_the_sum(tmp_path: Path, song_excerpt: Audio) -> None:
    stems = song_excerpt[:, :, :4410]
    rounded = [np.round(waveform * 32768) / np.float32(32768) for waveform in (*stems, stems.sum(axis=0))]
    tracks = [
        made(stems, stems.sum(axis=0), "sum"),
        made(np.stack(rounded[:4]), rounded[4], "rounded to 16 bits"),
        made(stems, stems.sum(axis=0) + np.float32(1e-3), "offset"),
    ]
    prepare(tracks, tmp_path)
    assert [stored.has_mixture for stored in open_store(tmp_path)] == [False, False, True]
    assert [len(stored.audio()) for stored in open_store(tmp_path)] == [4, 4, 5]


def test_numpy_alone_reads_the_index(tmp_path: Path, songs: Path) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    index = np.load(tmp_path / "store" / INDEX, allow_pickle=False)
    assert index["name"].tolist() == ["a", "b", "c"]
    assert index["split"].tolist() == ["train", "valid", "test"]
    assert index["samples"].tolist() == [22_050] * 3
    assert not index["mixture"].any()
    audio = np.load(tmp_path / "store" / index["file"][0], mmap_mode="r", allow_pickle=False)
    assert audio.shape == (4, 2, 22_050)
    assert index["rms_db"].shape == index["peak"].shape == index["silent_share"].shape == (3, 4)


def test_levels_of_known_signals() -> None:
    time_axis = np.arange(88_200) / 44_100
    sine = np.float32(0.5) * np.sin(2 * np.pi * 441 * time_axis).astype(np.float32)
    assert level_db(np.stack([sine, sine])) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-4)
    assert level_db(np.zeros((2, 10), np.float32)) == -np.inf
    half = np.stack([sine, sine])
    half[:, 44_100:] = 0
    assert silent_share(half) == 0.5
    assert silent_share(half[:, :50_000]) == 0  # the rest of a second does not count
    assert silent_share(half[:, :100]) == 0
    assert silent_share(half * np.float32(3e-3)) == 0.5  # -59.5 dBFS
    assert silent_share(half * np.float32(2.7e-3)) == 1  # -60.4 dBFS


def test_levels_are_recorded(tmp_path: Path, song_excerpt: Audio) -> None:
    stems = song_excerpt[:, :, :88_200].copy()
    stems[2] = 0
    prepare([made(stems)], tmp_path)
    (stored,) = open_store(tmp_path)
    assert stored.rms_db[0] == pytest.approx(10 * np.log10(np.mean(stems[0] ** 2)), abs=0.01)
    assert stored.rms_db[2] == -np.inf
    assert stored.peak == pytest.approx(np.abs(stems).max(axis=(1, 2)))
    assert stored.silent_share == (0, 0, 1, 0)


def test_what_is_there_is_kept(tmp_path: Path, songs: Path) -> None:
    tracks = folder.tracks(songs)
    prepare(tracks, tmp_path / "store")
    before = contents(tmp_path / "store")
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "store").glob("*-*.npy"))]
    result = prepare(tracks, tmp_path / "store")
    assert (result.prepared, result.skipped) == ((), ("a", "b", "c"))
    assert contents(tmp_path / "store") == before
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "store").glob("*-*.npy"))] == times


def test_a_song_that_changed_is_prepared_again(
    tmp_path: Path, songs: Path, song_excerpt: Audio, make_folder_song: Make
) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    make_folder_song(songs / "valid" / "b", vocals=song_excerpt[0, :, 200_000:222_050])
    assert prepare(folder.tracks(songs), tmp_path / "store").prepared == ("b",)
    vocals = open_store(tmp_path / "store")[1].audio()[0] / 32767
    assert np.abs(vocals - song_excerpt[0, :, 200_000:222_050]).max() < 1e-4


def test_a_song_that_moved_to_another_split_is_recorded_there(tmp_path: Path, songs: Path) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    (songs / "valid" / "b").rename(songs / "train" / "b")
    prepare(folder.tracks(songs), tmp_path / "store")
    assert [track.split for track in open_store(tmp_path / "store")] == ["train", "train", "test"]


def test_the_index_lists_the_songs_of_the_last_call(tmp_path: Path, songs: Path) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    prepare(folder.tracks(songs, "test"), tmp_path / "store")
    assert [track.name for track in open_store(tmp_path / "store")] == ["c"]


def test_a_broken_song_is_named_and_the_rest_goes_on(tmp_path: Path, songs: Path) -> None:
    (songs / "train" / "a" / "bass.wav").write_bytes(b"")
    events: list[PrepareEvent] = []
    result = prepare(folder.tracks(songs), tmp_path / "store", on_event=events.append)
    assert result.prepared == ("b", "c")
    assert list(result.failed) == ["a"]
    assert "bass.wav" in result.failed["a"]
    assert [track.name for track in open_store(tmp_path / "store")] == ["b", "c"]
    assert [(event.name, event.status, event.done, event.total) for event in events] == [
        ("a", "failed", 1, 3),
        ("b", "prepared", 2, 3),
        ("c", "prepared", 3, 3),
    ]
    assert events[0].message == result.failed["a"]


def test_all_songs_broken_make_no_store(tmp_path: Path, songs: Path) -> None:
    (songs / "test" / "c" / "bass.wav").unlink()
    tracks = folder.tracks(songs, "test")
    (songs / "test" / "c" / "drums.wav").unlink()
    result = prepare(tracks, tmp_path / "store")
    assert "drums.wav" in result.failed["c"]
    with pytest.raises(DemixError, match="prepared data set"):
        open_store(tmp_path / "store")


def test_processes_make_the_same_store(tmp_path: Path, songs: Path) -> None:
    (songs / "train" / "a" / "bass.wav").write_bytes(b"no audio")
    tracks = folder.tracks(songs)
    alone = prepare(tracks, tmp_path / "alone")
    together = prepare(tracks, tmp_path / "together", jobs=2)
    assert set(together.prepared) == set(alone.prepared) == {"b", "c"}
    assert together.failed == alone.failed
    assert contents(tmp_path / "together") == contents(tmp_path / "alone")


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
    started = time.monotonic()
    done = subprocess.run([sys.executable, "orphans.py"], cwd=tmp_path, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 9
    assert time.monotonic() - started < 30


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


def test_another_song_in_place_of_one_is_named(tmp_path: Path, songs: Path) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    path = open_store(tmp_path / "store")[0].path
    np.save(path, np.zeros((4, 2, 100), np.int16))
    with pytest.raises(DemixError, match=r"expected int16 \(4, 2, 22050\), received int16 \(4, 2, 100\)"):
        open_store(tmp_path / "store")


@pytest.mark.parametrize("content", [None, b"", b"text", "other array", "pickle"])
def test_what_is_no_store_is_named(tmp_path: Path, content: bytes | str | None) -> None:
    if content == "other array":
        np.save(tmp_path / INDEX, np.arange(3))
    elif content == "pickle":
        np.save(tmp_path / INDEX, np.array([{}], dtype=object))
    elif isinstance(content, bytes):
        (tmp_path / INDEX).write_bytes(content)
    with pytest.raises(DemixError, match=r"expected (an index of|a) prepared"):
        open_store(tmp_path)
    with pytest.raises(DemixError, match="prepared data set"):
        open_store(tmp_path / "gone")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, songs: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DemixError, match=r"file.*cannot be written"):
        prepare(folder.tracks(songs), tmp_path / "file")


def test_impossible_calls_are_refused(tmp_path: Path, song_excerpt: Audio) -> None:
    track = made(song_excerpt[:, :, :441])
    with pytest.raises(DemixError, match="at least one song"):
        prepare([], tmp_path)
    with pytest.raises(DemixError, match="at least 1 job"):
        prepare([track], tmp_path, jobs=0)
    with pytest.raises(DemixError, match="'a' more than once"):
        prepare([track, track], tmp_path)


def test_names_make_safe_and_different_file_names() -> None:
    names = ["AC/DC: ü?", "../../etc", "ac dc", "AC-DC", "", "x" * 300, "日本語", "CON"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for made_slug in slugs:
        assert set(made_slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(made_slug) < 80
