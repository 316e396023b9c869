"""The songs that ship with demix are what songs.toml and the README say they are."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

SONGS = Path(__file__).parents[1] / "songs"
STEMS = ("vocals", "drums", "bass", "other")
RECORD = tomllib.loads((SONGS / "songs.toml").read_text(encoding="utf-8"))
LIMIT_BYTES = 13 * 2**20


def load(name: str) -> dict[str, Any]:
    """Read what is there, `{stem: (samples, channels)}`, and check the form of each file."""
    stems = {}
    for path in sorted((SONGS / name).iterdir()):
        assert path.suffix == ".ogg", path
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert (rate, wave.shape[1]) == (44_100, 2), path
        stems[path.stem] = wave
    return stems


def by_split(split: str) -> list[str]:
    return [song["name"] for song in RECORD["song"] if song["split"] == split]


def test_seven_songs_fit_the_room_they_have() -> None:
    folders = {path.name for path in SONGS.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == {song["name"] for song in RECORD["song"]}
    assert len(RECORD["song"]) == 7
    assert sum(path.stat().st_size for path in SONGS.rglob("*.ogg")) <= LIMIT_BYTES


def test_lithium_is_the_test_song_and_nothing_else_is() -> None:
    assert by_split("test") == ["lithium"]
    assert by_split("valid") == ["sodium"]
    assert len(by_split("train")) == 5
    assert "lithium" not in by_split("train") + by_split("valid")
    assert len({song["name"] for song in RECORD["song"]}) == len(RECORD["song"])


def test_training_songs_are_not_pieces_of_the_test_song() -> None:
    held_out = {path.read_bytes()[-4096:] for path in (SONGS / "lithium").iterdir()}
    for name in by_split("train") + by_split("valid"):
        assert not held_out & {path.read_bytes()[-4096:] for path in (SONGS / name).iterdir()}, name


@pytest.mark.parametrize("song", RECORD["song"], ids=lambda song: song["name"])
def test_record_agrees_with_the_files(song: dict[str, Any]) -> None:
    stems = load(song["name"])
    assert {"drums", "vocals", "other"} <= set(stems) <= set(STEMS)
    samples = round(song["seconds"] * 44_100)
    assert {len(wave) for wave in stems.values()} == {samples}
    assert sum(end - start for start, end in song["excerpts"]) == song["seconds"]
    assert all(end - start >= 15 for start, end in song["excerpts"])
    assert np.abs(sum(stems.values())).max() < 1.0

    silence = np.zeros((samples, 2), np.float32)
    whole = samples // 44_100
    levels = np.array(
        [np.square(stems.get(stem, silence)[: whole * 44_100].reshape(whole, -1)).mean(axis=1) for stem in STEMS]
    )
    active = levels > 10 ** (RECORD["active_dbfs"] / 10)
    after = song["after"]
    assert active.mean(axis=1) == pytest.approx([after["active"][stem] for stem in STEMS], abs=0.002)
    assert (active.sum(axis=0) >= 3).mean() == pytest.approx(after["three_or_more"], abs=0.002)
    assert (active.sum(axis=0) == 4).mean() == pytest.approx(after["all_four"], abs=0.002)
    # a stem has a file exactly when it sounds in the cut
    assert {stem for stem, row in zip(STEMS, active, strict=True) if row.any()} == set(stems)


@pytest.mark.parametrize("song", RECORD["song"], ids=lambda song: song["name"])
def test_cut_has_the_sources_together_more_often_than_the_song(song: dict[str, Any]) -> None:
    assert song["after"]["three_or_more"] > song["before"]["three_or_more"]
    assert song["after"]["all_four"] >= song["before"]["all_four"]


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_split_has_every_stem(split: str) -> None:
    seconds = {
        stem: sum(s["seconds"] * s["after"]["active"][stem] for s in RECORD["song"] if s["split"] == split)
        for stem in STEMS
    }
    assert min(seconds.values()) >= 15, seconds


def test_artist_and_licence_are_recorded_everywhere() -> None:
    readme = (SONGS / "README.md").read_text(encoding="utf-8")
    assert "Software-Entwicklungskit" in readme
    assert "CC0 1.0" in readme
    for song in RECORD["song"]:
        assert (song["artist"], song["licence"]) == ("Software-Entwicklungskit", "CC0-1.0")
        start, end = song["excerpts"][0]
        row = next(line for line in readme.splitlines() if line.startswith(f"| {song['title']} |"))
        assert f"| {song['split']} |" in row
        assert f"{start}-{end}" in row
        with soundfile.SoundFile(SONGS / song["name"] / "drums.ogg") as file:
            tags = file.copy_metadata()
        assert (tags["artist"], tags["license"]) == (song["artist"], song["licence"])


def test_lithium_is_one_piece_of_the_song() -> None:
    (lithium,) = (song for song in RECORD["song"] if song["name"] == "lithium")
    assert len(lithium["excerpts"]) == 1
    assert 80 <= lithium["seconds"] <= 100
