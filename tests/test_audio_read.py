"""Files read block by block: every sample, the tags, and no word left out when something is missing."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix import audio
from demix.audio_read import AudioSource, layout_for
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]
BASS = Path(__file__).parents[1] / "songs" / "lithium" / "bass.ogg"


@pytest.fixture(scope="module")
def music(song_excerpt: Audio) -> Audio:
    """Two seconds in which every stem sounds, all in one."""
    return song_excerpt.sum(axis=0)[:, 66_150:154_350]


def read(path: Path) -> tuple[Audio, AudioSource]:
    with AudioSource(path) as source:
        return np.concatenate(list(source.blocks()), axis=1), source


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac"])
def test_samples_of_any_depth_are_exact(tmp_path: Path, music: Audio, suffix: str, subtype: str) -> None:
    if not soundfile.check_format(suffix.upper(), subtype):
        pytest.skip(f"there is no {suffix} of {subtype}")
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, music.T, 44_100, subtype=subtype)
    waveform, source = read(path)
    np.testing.assert_array_equal(waveform, soundfile.read(path, dtype="float32")[0].T)
    assert (source.sample_rate, source.channels) == (44_100, 2)
    assert source.seconds == pytest.approx(music.shape[1] / 44_100)


@pytest.mark.parametrize("samples", [441, 1_323, 36_162, 148 * 441])  # an m4a counts in milliseconds
@pytest.mark.parametrize(("codec", "suffix"), [("mp3", "mp3"), ("aac", "m4a"), ("flac", "flac"), ("flac", "mka")])
def test_any_length_comes_back_to_the_sample(
    tmp_path: Path, song_excerpt: Audio, codec: str, suffix: str, samples: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    encode(path, song_excerpt[0, :, 70_000 : 70_000 + samples], codec)
    assert read(path)[0].shape == (2, samples)


def encode(path: Path, waveform: Audio, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=44_100)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.mark.parametrize("channels", [1, 3, 6, 8, 9, 16, 32])
def test_all_channels_come(tmp_path: Path, song_excerpt: Audio, channels: int) -> None:
    """PyAV's planes end at seven channels; beyond, reading them crashes the process."""
    waveform = np.tile(song_excerpt.reshape(8, -1)[:, :5_000], (4, 1))[:channels]
    soundfile.write(tmp_path / "a.wav", waveform.T, 44_100, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[0], waveform)


def test_whole_reader_and_blocks_agree(falcon: Path) -> None:
    """Of the five streams of a real file both read the first; this one says so."""
    waveform, source = read(falcon)
    np.testing.assert_array_equal(waveform, audio.read(falcon)[0])
    assert source.notes == ["of its 5 audio streams only the first is read"]


@pytest.mark.parametrize(("codec", "suffix"), [("flac", "mka"), ("aac", "mkv")])
def test_a_matroska_that_was_cut_off_is_named(tmp_path: Path, music: Audio, codec: str, suffix: str) -> None:
    path, cut = tmp_path / f"a.{suffix}", tmp_path / f"cut.{suffix}"
    encode(path, music, codec)
    content = path.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    assert read(path)[1].notes == []
    waveform, source = read(cut)
    missing = (music.shape[1] - waveform.shape[1]) / 44_100
    assert missing > 0.5
    assert len(source.notes) == 1
    assert "shorter than its header says" in source.notes[0]


def test_films_and_tags(tmp_path: Path, music: Audio, encode_mp4: Make) -> None:
    assert read(encode_mp4(tmp_path / "a.mp4", [music], picture_first=True))[0].shape == music.shape
    with AudioSource(BASS) as source:
        assert source.tags["TITLE"] == "Lithium: bass"


def test_layouts_to_write() -> None:
    assert [layout_for(f"{count} channels", count) for count in (1, 2, 7)] == ["mono", "stereo", "7 channels"]
    assert layout_for("5.1(side)", 6) == "5.1(side)"


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "ogg", "mp3", "m4a"])
def test_a_file_that_was_cut_off_is_no_shorter_song(
    tmp_path: Path, music: Audio, encode_mp4: Make, suffix: str, keep: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "m4a":
        encode_mp4(path, [music])
    elif suffix == "mp3":
        encode(path, music, "mp3")
    elif suffix == "aiff":
        soundfile.write(path, music.T, 44_100)
    else:
        audio.write(path, music, sample_rate=44_100)
    read(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DemixError, match=r"a\.\w+: .*get it again"):
        read(path)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_that_went_through_a_pipe_is_whole(tmp_path: Path, music: Audio, size: int) -> None:
    """Who writes into a pipe cannot go back and fill in the length."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music.T, 44_100, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert read(path)[0].shape == music.shape


def test_not_a_number_and_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.array([[0.0, np.nan]]), 44_100, subtype="FLOAT")
    with pytest.raises(DemixError, match="NaN"):
        read(tmp_path / "nan.wav")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), 44_100)
    with pytest.raises(DemixError, match=r"no samples|cannot be decoded"):
        read(tmp_path / "none.wav")
