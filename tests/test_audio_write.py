"""Files written block by block."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix.audio_read import AudioSource
from demix.audio_write import ENCODINGS, MP3_RATES, AudioSink
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
TAGS = {"title": "Lithium ü", "artist": "Software-Entwicklungskit", "album": "everything is free", "track": "3/9"}


def write(path: Path, waveform: Audio, *, rate: int = 44_100, kind: str = "wav", depth: str = "int16") -> Path:
    layout = {1: "mono", 2: "stereo"}.get(len(waveform), f"{len(waveform)} channels")
    sink = AudioSink(path, kind=kind, depth=depth, sample_rate=rate, layout=layout, tags=TAGS)
    for start in range(0, waveform.shape[1], 10_000):
        sink.write(waveform[:, start : start + 10_000])
    sink.close()
    return path


def read(path: Path) -> tuple[Audio, dict[str, str]]:
    with AudioSource(path) as source:
        return np.concatenate(list(source.blocks()), axis=1), source.tags


@pytest.mark.parametrize(("kind", "depth"), list(ENCODINGS))
@pytest.mark.parametrize("channels", [1, 2])
def test_length_tags_and_samples_to_the_rounding(
    tmp_path: Path, song_excerpt: Audio, kind: str, depth: str, channels: int
) -> None:
    waveform = song_excerpt[0, :channels, 70_000:120_001]
    again, tags = read(write(tmp_path / "a", waveform, kind=kind, depth=depth))
    assert again.shape == waveform.shape
    half_step = {"int16": 2**-16, "int24": 2**-24, "float32": 0}[depth]
    assert np.abs(again - waveform).max() <= (0.1 if kind == "mp3" else half_step)
    assert {key.lower(): value for key, value in tags.items()} == TAGS


@pytest.mark.parametrize(("kind", "depth", "subtype"), [("wav", "int16", "PCM_16"), ("flac", "int24", "PCM_24")])
def test_whole_numbers_survive(tmp_path: Path, song_excerpt: Audio, kind: str, depth: str, subtype: str) -> None:
    """What was read from 16 bit is written as the same 16 bit; another library agrees."""
    whole = np.round(song_excerpt[0, :, 70_000:80_000] * 32_768) / np.float32(32_768)
    whole[0, 0] = -1
    write(tmp_path / "a", whole, kind=kind, depth=depth)
    assert soundfile.info(tmp_path / "a").subtype == subtype
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a", dtype="float32")[0].T, whole)


def test_beyond_full_scale_whole_numbers_clip_and_floats_do_not(tmp_path: Path) -> None:
    loud = np.array([[1.5, -1.5, 0.5, 1.0]], np.float32)
    clipped = read(write(tmp_path / "a", loud))[0]
    np.testing.assert_allclose(clipped, [[1, -1, 0.5, 1]], atol=2**-15)
    np.testing.assert_array_equal(read(write(tmp_path / "b", loud, depth="float32"))[0], loud)


@pytest.mark.parametrize("rate", MP3_RATES)
def test_every_rate_of_mp3_keeps_its_length(tmp_path: Path, song_excerpt: Audio, rate: int) -> None:
    waveform = song_excerpt[0, :, 70_000:90_001]
    assert read(write(tmp_path / "a", waveform, rate=rate, kind="mp3"))[0].shape == waveform.shape


@pytest.mark.parametrize("channels", [3, 6, 8, 16])
def test_many_channels(tmp_path: Path, song_excerpt: Audio, channels: int) -> None:
    waveform = np.tile(song_excerpt.reshape(8, -1)[:, :5_000], (2, 1))[:channels]
    np.testing.assert_array_equal(read(write(tmp_path / "a", waveform, depth="float32"))[0], waveform)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"cannot be written \(No such file"):
        write(tmp_path / "nowhere" / "a", np.zeros((2, 100), np.float32))
    with pytest.raises(DemixError, match="cannot be written"):
        write(tmp_path / "a", np.zeros((2, 100), np.float32), rate=96_000, kind="mp3")
