"""Any folder of songs: what is a song, a stem, a split, and what is none."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.config import STEMS
from demix.data.folder import tracks
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def stems(song_excerpt: Audio) -> dict[str, Audio]:
    return dict(zip(STEMS, song_excerpt[:, :, 66_150:110_250], strict=True))


def test_stems_come_in_order_and_sum_to_the_mixture(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make
) -> None:
    make_folder_song(tmp_path / "A Song", **stems)
    (track,) = tracks(tmp_path)
    assert (track.name, track.split) == ("A Song", "test")
    np.testing.assert_array_equal(track.stems(), np.stack([stems[name] for name in STEMS]))
    np.testing.assert_array_equal(track.mixture(), np.stack(list(stems.values())).sum(axis=0))
    assert track.read()[1] is None
    assert [path.stem for path in track.paths] == sorted(STEMS)


def test_a_missing_stem_is_silence_and_a_mixture_is_kept(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make
) -> None:
    make_folder_song(tmp_path / "a", drums=stems["drums"], mixture=stems["drums"] * np.float32(0.5))
    (track,) = tracks(tmp_path)
    read, mixture = track.read()
    np.testing.assert_array_equal(read[STEMS.index("drums")], stems["drums"])
    assert not read[[STEMS.index(name) for name in STEMS if name != "drums"]].any()
    np.testing.assert_array_equal(mixture, stems["drums"] * np.float32(0.5))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_every_format_is_read(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make, suffix: str) -> None:
    make_folder_song(tmp_path / "a", suffix=suffix, **stems)
    (track,) = tracks(tmp_path)
    for name, stem in zip(STEMS, track.stems(), strict=True):
        assert np.sum((stem - stems[name]) ** 2) < np.sum(stems[name] ** 2) / 5


def test_formats_can_differ_and_case_does_not_matter(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make
) -> None:
    make_folder_song(tmp_path / "a", Vocals=stems["vocals"])
    make_folder_song(tmp_path / "a", suffix=".FLAC", drums=stems["drums"])
    (track,) = tracks(tmp_path)
    assert track.stem("vocals").any()
    assert track.stem("drums").any()


def test_splits_are_subfolders(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make) -> None:
    for folder in ("test/e", "train/b", "train/a", "valid/c"):
        make_folder_song(tmp_path / folder, bass=stems["bass"])
    assert [(track.split, track.name) for track in tracks(tmp_path)] == [
        ("train", "a"),
        ("train", "b"),
        ("valid", "c"),
        ("test", "e"),
    ]
    assert [track.name for track in tracks(tmp_path, "valid")] == ["c"]


def test_a_split_without_songs_is_empty(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make) -> None:
    make_folder_song(tmp_path / "a", bass=stems["bass"])
    assert [track.name for track in tracks(tmp_path, "test")] == ["a"]
    assert tracks(tmp_path, "train") == []


def test_a_song_may_be_given_itself_or_be_called_train(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = make_folder_song(tmp_path / "train", bass=stems["bass"])
    assert [(track.name, track.split) for track in tracks(tmp_path)] == [("train", "test")]
    assert [(track.name, track.split) for track in tracks(song)] == [("train", "test")]
    monkeypatch.chdir(song)
    assert [track.name for track in tracks(Path())] == ["train"]


def test_what_is_no_song_is_passed_over(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make) -> None:
    song = make_folder_song(tmp_path / "a", bass=stems["bass"], notes=stems["drums"])
    make_folder_song(tmp_path / "artwork", sleeve=stems["bass"])
    make_folder_song(tmp_path / ".trash", bass=stems["bass"])
    (song / "vocals.txt").write_text("la la la")
    (song / "._vocals.wav").write_bytes(b"resource fork")
    (track,) = tracks(tmp_path)
    assert track.paths == (song / "bass.wav",)


def test_tracks_cross_process_borders(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make) -> None:
    make_folder_song(tmp_path / "a", **stems)
    (track,) = tracks(tmp_path)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(track)).stems(), track.stems())  # noqa: S301


def nothing(root: Path) -> None:
    pass


def two_formats(root: Path) -> None:
    for suffix in ("wav", "mp3"):
        touch(root / "a" / f"bass.{suffix}")


def mixture_alone(root: Path) -> None:
    touch(root / "a" / "mixture.wav")


def same_name_in_two_splits(root: Path) -> None:
    touch(root / "train" / "a" / "bass.wav")
    touch(root / "test" / "a" / "bass.wav")


def beside_the_splits(root: Path) -> None:
    touch(root / "train" / "a" / "bass.wav")
    touch(root / "stray" / "bass.wav")


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (nothing, "folder per song.*found none"),
        (two_formats, "one file for bass.*bass.mp3 and bass.wav"),
        (mixture_alone, "mixture alone"),
        (same_name_in_two_splits, "'a' 2 times"),
        (beside_the_splits, "'stray'"),
    ],
)
def test_a_folder_in_disorder_is_named(tmp_path: Path, arrange: Callable[[Path], None], says: str) -> None:
    arrange(tmp_path)
    with pytest.raises(DemixError, match=says) as caught:
        tracks(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(DemixError, match=f"{root.name}.*no such folder"):
            tracks(root)
    with pytest.raises(DemixError, match="received none"):
        tracks(None)


@pytest.mark.parametrize(
    ("rate", "channels", "says"),
    [(48_000, 2, "received 48000 Hz with 2"), (44_100, 1, "received 44100 Hz with 1")],
)
def test_another_rate_and_mono_come_with_the_remedy(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make, rate: int, channels: int, says: str
) -> None:
    make_folder_song(tmp_path / "a", rate=rate, bass=stems["bass"][:channels])
    with pytest.raises(DemixError, match=rf"bass\.wav.*{says}.*ffmpeg -i 'bass\.wav' -ar 44100 -ac 2"):
        tracks(tmp_path)[0].read()


def test_unequal_lengths_are_listed(tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make) -> None:
    make_folder_song(tmp_path / "a", bass=stems["bass"], drums=stems["drums"][:, :-1])
    with pytest.raises(DemixError, match=r"a: .*equal length.*bass 44100, drums 44099 samples"):
        tracks(tmp_path)[0].read()


@pytest.mark.parametrize("content", [None, b"", b"no samples in here" * 99])
def test_a_file_that_is_gone_empty_or_no_audio_is_named(
    tmp_path: Path, stems: dict[str, Audio], make_folder_song: Make, content: bytes | None
) -> None:
    make_folder_song(tmp_path / "a", **stems)
    (track,) = tracks(tmp_path)
    bad = tmp_path / "a" / "drums.wav"
    if content is None:
        bad.unlink()
    else:
        bad.write_bytes(content)
    with pytest.raises(DemixError, match=r"drums\.wav"):
        track.read()
