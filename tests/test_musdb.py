"""MUSDB18 in both forms: the real excerpt, trees made in its form, its split, and broken files."""

import importlib.util
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

from demix import audio
from demix.config import STEMS
from demix.data import musdb
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def stems(song_excerpt: Audio) -> Audio:
    return song_excerpt[:, :, 66_150:110_250]


def sdr_db(reference: Audio, estimate: Audio) -> float:
    return float(10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2)))


def test_the_real_excerpt(tmp_path: Path, falcon: Path) -> None:
    (tmp_path / "test").mkdir()
    shutil.copy(falcon, tmp_path / "test")
    (track,) = musdb.tracks(tmp_path)
    stems, mixture = track.load()
    assert (track.name, track.split) == ("The Easton Ellises - Falcon 69", "test")
    assert stems.shape == (4, 2, 268_288)
    assert mixture.shape == (2, 268_288)
    streams, _ = audio.read_streams(falcon)
    for stem, stream in (("drums", 1), ("bass", 2), ("other", 3), ("vocals", 4)):
        np.testing.assert_array_equal(stems[STEMS.index(stem)], streams[stream])
    assert 10 < sdr_db(mixture, stems.sum(axis=0)) < 30  # AAC: near the sum, and not it
    assert np.abs(mixture).max() > 1  # not clipped


def test_the_real_stems_sound_like_their_names(falcon: Path) -> None:
    """Drums have the high end, bass ends lowest, vocals have least below 200 Hz, other is widest."""
    stems, _ = musdb.read_stem_mp4(falcon)
    frequencies, power = signal.welch(stems.mean(axis=1), 44_100, nperseg=4096)
    total = power.sum(axis=1)
    up_to = np.cumsum(power, axis=1) / total[:, None]
    width = np.mean((stems[:, 0] - stems[:, 1]) ** 2, axis=1) / np.mean(stems**2, axis=(1, 2))
    assert STEMS[np.argmax(power[:, frequencies > 8000].sum(axis=1))] == "drums"
    assert STEMS[np.argmin([np.searchsorted(share, 0.95) for share in up_to])] == "bass"
    assert STEMS[np.argmin(power[:, frequencies < 200].sum(axis=1) / total)] == "vocals"
    assert STEMS[np.argmax(width)] == "other"


def test_streams_find_their_places(tmp_path: Path, stems: Audio, make_stem_mp4: Make) -> None:
    mixture = stems.sum(axis=0) * np.float32(0.5)
    make_stem_mp4(tmp_path / "train" / "A - B.stem.mp4", stems, mixture=mixture)
    (track,) = musdb.tracks(tmp_path)
    read, read_mixture = track.load()
    assert (track.name, track.split) == ("A - B", "train")
    assert read.shape == stems.shape
    for made, got in zip((*stems, mixture), (*read, read_mixture), strict=True):
        assert sdr_db(made, got) > 10


def test_hq_is_read_exactly(tmp_path: Path, stems: Audio, make_folder_song: Make) -> None:
    named = dict(zip(STEMS, stems, strict=True))
    mixture = stems.sum(axis=0) * np.float32(0.5)
    make_folder_song(tmp_path / "test" / "A - B", mixture=mixture, **named)
    (track,) = musdb.tracks_hq(tmp_path)
    assert (track.name, track.split) == ("A - B", "test")
    np.testing.assert_array_equal(track.stems(), stems)
    np.testing.assert_array_equal(track.mixture(), mixture)
    assert len(track.paths) == 5


@pytest.mark.parametrize("form", ["mp4", "wav"])
def test_the_official_split_is_86_14_50(tmp_path: Path, form: str) -> None:
    training = [*musdb.VALID_SONGS, *(f"Train {number}" for number in range(86))]
    test = [f"Test {number}" for number in range(50)]
    for part, names in (("train", training), ("test", test)):
        for name in names:
            if form == "mp4":
                touch(tmp_path / part / f"{name}.stem.mp4")
            else:
                touch(tmp_path / part / name / "mixture.wav")
    tracks = musdb.tracks if form == "mp4" else musdb.tracks_hq
    assert Counter(track.split for track in tracks(tmp_path)) == {"train": 86, "valid": 14, "test": 50}
    assert {track.name for track in tracks(tmp_path, "valid")} == musdb.VALID_SONGS
    assert {track.name for track in tracks(tmp_path, "test")} == set(test)


def test_a_validation_name_in_the_test_folder_stays_test(tmp_path: Path) -> None:
    touch(tmp_path / "test" / "Leaf - Summerghost.stem.mp4")
    assert [track.split for track in musdb.tracks(tmp_path)] == ["test"]


def test_validation_songs_are_those_of_the_musdb_package() -> None:
    spec = importlib.util.find_spec("musdb")
    assert spec is not None
    assert spec.origin is not None
    config = (Path(spec.origin).parent / "configs" / "mus.yaml").read_text(encoding="utf-8")
    listed = config.split("validation_tracks:\n")[1].splitlines()
    assert {line.strip("- '\"") for line in listed if line.startswith("- ")} == musdb.VALID_SONGS


def test_hidden_and_other_files_are_no_songs(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "A.stem.mp4")
    touch(tmp_path / "train" / "._A.stem.mp4")
    touch(tmp_path / "train" / "B.mp4")
    assert [track.name for track in musdb.tracks(tmp_path)] == ["A"]


@pytest.mark.parametrize("tracks", [musdb.tracks, musdb.tracks_hq])
def test_a_tree_that_is_none_is_named(tmp_path: Path, tracks: Callable[[Path | None], object]) -> None:
    with pytest.raises(DemixError, match=r"in train and test, found none; unpack"):
        tracks(tmp_path)
    with pytest.raises(DemixError, match=r"gone.*no such folder"):
        tracks(tmp_path / "gone")
    with pytest.raises(DemixError, match="received none"):
        tracks(None)


def test_a_missing_wav_is_no_silence(tmp_path: Path, stems: Audio, make_folder_song: Make) -> None:
    make_folder_song(tmp_path / "train" / "A", **dict(zip(STEMS, stems, strict=True)))
    (track,) = musdb.tracks_hq(tmp_path)
    with pytest.raises(DemixError, match=r"mixture\.wav: no such file"):
        track.read()


def test_four_streams_are_too_few(tmp_path: Path, stems: Audio, encode_mp4: Make) -> None:
    path = encode_mp4(tmp_path / "a.stem.mp4", list(stems))
    with pytest.raises(DemixError, match=r"a\.stem\.mp4: expected 5 audio streams.*received 4"):
        musdb.read_stem_mp4(path)


def test_another_rate_and_mono(tmp_path: Path, stems: Audio, make_stem_mp4: Make) -> None:
    path = make_stem_mp4(tmp_path / "a.stem.mp4", stems, rate=48_000)
    with pytest.raises(DemixError, match="received 48000 Hz"):
        musdb.read_stem_mp4(path)
    path = make_stem_mp4(tmp_path / "b.stem.mp4", stems[:, :1])
    with pytest.raises(DemixError, match="received 44100 Hz with 1"):
        musdb.read_stem_mp4(path)


def test_streams_of_unequal_length(tmp_path: Path, stems: Audio, make_stem_mp4: Make) -> None:
    path = make_stem_mp4(tmp_path / "a.stem.mp4", stems, mixture=stems[0][:, :22_050])
    with pytest.raises(DemixError, match=r"a\.stem\.mp4.*cut off"):
        musdb.read_stem_mp4(path)


def test_a_stem_mp4_that_was_cut_off(tmp_path: Path, falcon: Path) -> None:
    content = falcon.read_bytes()
    (tmp_path / "a.stem.mp4").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DemixError, match=r"a\.stem\.mp4.*get it again"):
        musdb.read_stem_mp4(tmp_path / "a.stem.mp4")


def test_forms_are_told_apart(tmp_path: Path, stems: Audio, make_folder_song: Make) -> None:
    named = dict(zip(STEMS, stems, strict=True))
    touch(tmp_path / "mp4" / "test" / "A.stem.mp4")
    make_folder_song(tmp_path / "whole" / "test" / "A", mixture=stems[0], **named)
    make_folder_song(tmp_path / "own" / "test" / "A", **named)
    make_folder_song(tmp_path / "damaged" / "train" / "Leaf - Summerghost", **named)
    make_folder_song(tmp_path / "valid" / "train" / "A", mixture=stems[0], **named)
    make_folder_song(tmp_path / "valid" / "valid" / "B", mixture=stems[0], **named)
    folders = [folder.name for folder in sorted(tmp_path.iterdir())]
    assert [name for name in folders if musdb.is_musdb(tmp_path / name)] == ["mp4"]
    assert [name for name in folders if musdb.is_musdb_hq(tmp_path / name)] == ["damaged", "whole"]


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
