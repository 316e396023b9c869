"""Several data sets as one: whose songs are learnt from, and under which names."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from demix.config import Data
from demix.data.library import open_training
from demix.errors import DemixError


@pytest.fixture
def sets(songs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with two sets, `songs` and `more`; the second has drums alone."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(songs_folder, tmp_path / "songs")
    shutil.copytree(songs_folder, tmp_path / "more")
    for path in (tmp_path / "more").rglob("*.wav"):
        if path.stem != "drums":
            path.unlink()
    return tmp_path


def test_a_further_set_adds_its_train_songs_and_no_others(sets: Path) -> None:
    alone = open_training(Data("songs"))
    both = open_training(Data("songs", also={"more": 2.0}))
    assert both[: len(alone)] == alone
    assert [(track.name, track.split, track.dataset) for track in both[len(alone) :]] == [
        ("more/song-train", "train", "more")
    ]
    assert {track.dataset for track in alone} == {""}


def test_sets_that_cannot_be_told_apart_and_sets_without_train_songs_are_refused(sets: Path) -> None:
    shutil.copytree(sets / "more", sets / "elsewhere" / "songs")
    with pytest.raises(DemixError, match=r"songs and elsewhere/songs are both called songs; rename"):
        open_training(Data("songs", also={"elsewhere/songs": 1.0}))
    shutil.rmtree(sets / "more" / "train")
    with pytest.raises(DemixError, match=r"more: expected songs in split train, received none; put them into train/"):
        open_training(replace(Data("songs"), also={"more": 1.0}))
