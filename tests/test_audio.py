"""Audio files: exact where the format is, in time where it is not."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from demix import audio

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def stems(song_excerpt: Audio) -> Audio:
    """Two seconds in which every stem sounds."""
    return song_excerpt[:, :, 66_150:154_350]


def sdr_db(reference: Audio, estimate: Audio) -> float:
    return float(10 * np.log10((np.sum(reference**2) + 1e-15) / (np.sum((reference - estimate) ** 2) + 1e-15)))


@given(
    waveform=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
        elements=st.floats(-4, 4, width=32),
    ),
    rate=st.integers(1, 192_000),
)
def test_wav_gives_back_every_sample(tmp_path_factory: pytest.TempPathFactory, waveform: Audio, rate: int) -> None:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    audio.write(path, waveform, sample_rate=rate)
    again, again_rate = audio.read(path)
    assert again.dtype == np.float32
    assert again_rate == rate
    np.testing.assert_array_equal(again, waveform)


@pytest.mark.parametrize(("suffix", "least_db"), [(".wav", 150), (".flac", 110), (".ogg", 10), (".mp3", 10)])
def test_every_format_keeps_length_channels_and_time(
    tmp_path: Path, stems: Audio, suffix: str, least_db: float
) -> None:
    song = stems.sum(axis=0)[:, :50_001]
    audio.write(tmp_path / f"a{suffix}", song, sample_rate=44_100)
    again, rate = audio.read(tmp_path / f"a{suffix}")
    assert rate == 44_100
    assert again.shape == song.shape
    assert sdr_db(song, again) > least_db


def test_subtype_chooses_the_encoding(tmp_path: Path, stems: Audio) -> None:
    audio.write(tmp_path / "a.wav", stems[0], sample_rate=44_100, subtype="PCM_16")
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"


@pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".m4a"])
def test_lossy_audio_beyond_full_scale_is_not_clipped(
    tmp_path: Path, stems: Audio, encode_mp4: Make, suffix: str
) -> None:
    loud = stems[1] * (1.3 / np.abs(stems[1]).max())
    if suffix == ".m4a":
        encode_mp4(tmp_path / "a.m4a", [loud])
    else:
        audio.write(tmp_path / f"a{suffix}", loud, sample_rate=44_100)
    assert np.abs(audio.read(tmp_path / f"a{suffix}")[0]).max() > 1.1


def test_a_whole_song_of_vorbis_is_written(tmp_path: Path) -> None:
    """libsndfile's encoder crashes the process when it gets a minute in one call."""
    noise = np.random.default_rng(0).standard_normal((1, 44_100 * 75), dtype=np.float32) * np.float32(0.1)
    audio.write(tmp_path / "a.ogg", noise, sample_rate=44_100)
    assert soundfile.info(tmp_path / "a.ogg").frames == noise.shape[1]


def test_pyav_reads_what_soundfile_does_not(tmp_path: Path, stems: Audio) -> None:
    """Integers in a Matroska file come out as the same floats that soundfile makes of them."""
    samples = np.round(stems[0] * 32767).astype(np.int16)
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 44_100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(tmp_path / "a.mka")
    waveform, rate = audio.read(tmp_path / "a.mka")
    assert rate == 44_100
    np.testing.assert_array_equal(waveform, samples / np.float32(32768))


@pytest.mark.parametrize("samples", [50_274, 51_156, 441])
def test_aac_is_trimmed_to_its_duration_and_in_time(
    tmp_path: Path, stems: Audio, encode_mp4: Make, samples: int
) -> None:
    songs = [song[:, :samples] for song in stems]
    streams, rate = audio.read_streams(encode_mp4(tmp_path / "a.mp4", songs))
    assert rate == 44_100
    assert [stream.shape for stream in streams] == [(2, samples)] * 4
    for song, stream in zip(songs, streams, strict=True):
        if samples > 1000:
            assert sdr_db(song, stream) > 10
    first, _ = audio.read(tmp_path / "a.mp4")
    np.testing.assert_array_equal(first, streams[0])


def test_streams_are_picked_by_type(tmp_path: Path, stems: Audio, encode_mp4: Make) -> None:
    path = encode_mp4(tmp_path / "a.mp4", list(stems[:2]), picture_first=True)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]
    streams, _ = audio.read_streams(path)
    assert len(streams) == 2
    assert sdr_db(stems[1], streams[1]) > 10


def test_real_musdb_excerpt(falcon: Path) -> None:
    streams, rate = audio.read_streams(falcon)
    with av.open(str(falcon)) as container:
        assert container.duration is not None
        duration = round(container.duration / av.time_base * 44_100)
    assert rate == 44_100
    assert [stream.shape for stream in streams] == [(2, duration)] * 5
    assert max(float(np.abs(stream).max()) for stream in streams) > 1


@pytest.mark.parametrize("name", ["AC: DC.wav", "AC: DC.m4a", "100%d.m4a", "Motörhead.m4a"])
def test_names_are_names_and_not_addresses_or_patterns(
    tmp_path: Path, stems: Audio, encode_mp4: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    if path.suffix == ".wav":
        audio.write(path, stems[0], sample_rate=44_100)
    else:
        encode_mp4(tmp_path / "x.mp4", [stems[0]]).rename(path)
    assert audio.read(path)[0].shape == stems[0].shape
