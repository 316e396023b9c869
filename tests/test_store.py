"""Prepared data sets: what goes in comes out, whatever happens on the way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.data import folder
from demix.data.store import INDEX, PrepareEvent, open_store, prepare
from demix.data.track import Track
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


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


def test_a_set_that_is_there_is_not_written_again(tmp_path: Path, songs: Path) -> None:
    """Two trainings may start on one set at a time."""
    prepare(folder.tracks(songs), tmp_path / "store")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()}
    prepare(folder.tracks(songs), tmp_path / "store")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()} == before


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
