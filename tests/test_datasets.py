"""The contract that every data set keeps, whatever it is made of, and how a data set is found."""

import pickle
import shutil
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.config import STEMS
from demix.data import DATASETS, RAW, Track, open_dataset
from demix.data.track import SPLITS
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]
PLACES = ("train/One - A", "train/Leaf - Summerghost", "test/Two - B")  # train, valid, test
PIECE = slice(66_150, 77_175)  # a quarter of a second in which every stem sounds


Tree = Callable[[str], Path]


@pytest.fixture(scope="session")
def tree(
    tmp_path_factory: pytest.TempPathFactory,
    song_excerpt: Audio,
    make_folder_song: Make,
    make_stem_mp4: Make,
) -> Tree:
    """Return a function that gives a small tree in the form of a data set, to be read only."""

    @cache
    def make(name: str) -> Path:
        root = tmp_path_factory.mktemp(name)
        stems = song_excerpt[:, :, PIECE]
        files = dict(zip(STEMS, stems, strict=True))
        songs = []
        for split, place in zip(SPLITS, PLACES, strict=True):
            song = place.split("/")[1]
            songs.append(f'[[song]]\nname = "{song}"\nsplit = "{split}"\n')
            if name in ("musdb18", "musdb18-7s"):
                make_stem_mp4(root / f"{place}.stem.mp4", stems)
            elif name == "musdb18hq":
                make_folder_song(root / place, mixture=stems.sum(axis=0), **files)
            elif name == "folder":
                make_folder_song(root / split / song, **files)
            elif name == "free":
                make_folder_song(root / song, suffix=".ogg", **files)
                (root / "songs.toml").write_text("".join(songs))
            else:
                pytest.fail(f"how is a tree of {name} made? tell it here, and its contract is tested")
        return root

    return make


@pytest.mark.parametrize("name", DATASETS)
def test_contract(name: str, song_excerpt: Audio, tree: Tree) -> None:
    root = tree(name)
    tracks = DATASETS[name](root)
    assert {track.name: track.split for track in tracks} == {
        "One - A": "train",
        "Leaf - Summerghost": "valid",
        "Two - B": "test",
    }
    order = [(SPLITS.index(track.split), track.name) for track in tracks]
    assert all(one < other for one, other in pairwise(order))
    for split in SPLITS:
        wanted = [track.name for track in tracks if track.split == split]
        assert [track.name for track in DATASETS[name](root, split)] == wanted
    assert all(path.is_file() for track in tracks for path in track.paths)
    read_like_the_original(tracks[0], song_excerpt[:, :, PIECE])


def read_like_the_original(track: Track, original: Audio) -> None:
    copy = pickle.loads(pickle.dumps(track))  # noqa: S301
    stems, mixture = copy.load()
    assert stems.shape == original.shape
    assert mixture.shape == original.shape[1:]
    assert stems.dtype == mixture.dtype == np.float32
    assert np.sum((stems - original) ** 2) < np.sum(original**2) / 10
    assert np.sum((mixture - original.sum(axis=0)) ** 2) < np.sum(original.sum(axis=0) ** 2) / 10


@pytest.mark.parametrize("name", DATASETS)
def test_a_root_without_songs_is_named(name: str, tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "gone"):
        with pytest.raises(DemixError, match=str(root)):
            DATASETS[name](root)


def test_free_needs_no_root() -> None:
    assert [track.name for track in open_dataset("free") if track.split == "test"] == ["lithium"]


@pytest.mark.parametrize("name", ["musdb18", "musdb18-7s", "musdb18hq"])
def test_a_name_is_found_where_download_puts_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DemixError, match=f"run `demix data download {name}`"):
        open_dataset(name)
    shutil.copytree(tree(name), RAW / name)
    assert [track.split for track in open_dataset(name)] == ["train", "valid", "test"]


@pytest.mark.parametrize("name", DATASETS)
def test_the_form_of_a_path_is_told_from_what_is_in_it(name: str, tree: Tree) -> None:
    """All forms give the splits of their own: only MUSDB18 knows its validation song by name."""
    root = tree(name)
    assert [track.split for track in open_dataset(str(root))] == ["train", "valid", "test"]
    assert open_dataset(root)[0].paths == DATASETS[name](root)[0].paths


@pytest.mark.parametrize("name", ["musdb81", "folder", ""])
def test_neither_name_nor_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DemixError, match=r"musdb18hq|folder per song"):
        open_dataset(name)
