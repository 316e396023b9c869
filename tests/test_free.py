"""The embedded songs: listed, found and read; a list that is wrong is named."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from demix.config import STEMS
from demix.data import free
from demix.errors import DemixError

SONGS = Path(__file__).parents[1] / "songs"


def test_the_songs_of_the_checkout_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracks = free.tracks(None)
    assert [track.name for track in tracks if track.split == "test"] == ["lithium"]
    assert [track.name for track in free.tracks(split="valid")] == ["sodium"]
    assert len(tracks) == 7
    assert [track.split for track in tracks] == ["train"] * 5 + ["valid", "test"]


def test_a_song_is_its_files() -> None:
    (track,) = free.tracks(split="valid")
    stems, mixture = track.read()
    assert mixture is None
    for name, stem in zip(STEMS, stems, strict=True):
        file, _ = soundfile.read(SONGS / track.name / f"{name}.ogg", dtype="float32")
        np.testing.assert_array_equal(stem, file.T)


def test_a_stem_without_a_file_is_silence(tmp_path: Path) -> None:
    write_song(tmp_path, '[[song]]\nname = "a"\nsplit = "test"\n')
    stems = free.tracks(tmp_path)[0].stems()
    assert [bool(stem.any()) for stem in stems] == [False, False, True, False]


def test_without_a_checkout_the_current_folder_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(free, "__file__", str(tmp_path / "lib/python3/site-packages/demix/data/free.py"))
    with pytest.raises(DemixError, match=r"embedded songs.*checkout"):
        free.tracks()
    write_song(tmp_path / "songs", '[[song]]\nname = "a"\nsplit = "test"\n')
    assert [track.name for track in free.tracks()] == ["a"]


def write_song(root: Path, manifest: str) -> None:
    (root / "a").mkdir(parents=True, exist_ok=True)
    soundfile.write(root / "a" / "bass.ogg", np.full((441, 2), 0.5), 44_100)
    (root / "songs.toml").write_text(manifest)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("", "at least one"),
        ("[[song", "TOML"),
        ('[[song]]\nname = "a"\n', "name 'a' with split None"),
        ('[[song]]\nname = "a"\nsplit = "exam"\n', "split 'exam'"),
        ('[[song]]\nsplit = "test"\n', "name None"),
        ('[[song]]\nname = "b"\nsplit = "test"\n', "b: expected the stems of a listed song"),
        ("song = 3", "at least one"),
        ('song = ["a"]', "name None"),
        ('[[song]]\nname = "a"\nsplit = "test"\n' * 2, "'a' 2 times"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, manifest: str, says: str) -> None:
    write_song(tmp_path, manifest)
    with pytest.raises(DemixError, match=says):
        free.tracks(tmp_path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"songs\.toml: no such file"):
        free.tracks(tmp_path)
