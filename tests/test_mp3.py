"""Mp3: its length to the sample, in its place, readable however short, at the bit rate that was asked for."""

import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix.audio_read import AudioSource
from demix.audio_write import MP3_BIT_RATES, MP3_RATES, AudioSink, greatest_mp3_bit_rate
from demix.config import STEMS

Audio = npt.NDArray[np.float32]
# FFmpeg's: beside the whole frames of 1152 or 576 samples, and where it used to be up to 46 samples too long
BESIDE_FRAMES = (1, 45, 46, 47, 300)
# the first needs silence around it, the last two are either side of where an mp3 is long enough without
SAMPLES = sorted({576 * frames + more for frames in (0, 1, 2, 3, 4, 6, 11) for more in BESIDE_FRAMES} | {4608, 4609})
# stem, rate, kilobits per second, channels, samples: their frames look like video, or like something else, to FFmpeg
LOOK_DIFFERENT = [
    ("vocals", 22_050, 32, 2, 255),
    ("vocals", 44_100, 320, 2, 1536),
    ("drums", 44_100, 128, 2, 133),
    ("bass", 48_000, 32, 2, 1109),
    ("other", 48_000, 320, 2, 3671),
]


def write(path: Path, waveform: Audio, *, rate: int = 44_100, bit_rate: int = 320) -> Path:
    layout = "mono" if len(waveform) == 1 else "stereo"
    sink = AudioSink(
        path, kind="mp3", depth="int16", sample_rate=rate, layout=layout, tags={"title": "x"}, bit_rate=bit_rate
    )
    for start in range(0, waveform.shape[1], 4_000):
        sink.write(waveform[:, start : start + 4_000])
    sink.close()
    return path


def read(path: Path) -> Audio:
    with AudioSource(path) as source:
        return np.concatenate(list(source.blocks()), axis=1)


@pytest.fixture(scope="module")
def drums(song_excerpt: Audio) -> Audio:
    """One second of drums, which begin at once."""
    return song_excerpt[1, :, 44_100:88_200]


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_length_to_the_sample(tmp_path: Path, drums: Audio, rate: int, channels: int) -> None:
    """FFmpeg and mpg123, which soundfile has, agree."""
    lengths = {}
    for samples in SAMPLES:
        path = write(tmp_path / "a.mp3", drums[:channels, :samples], rate=rate, bit_rate=64)
        lengths[samples] = read(path).shape, soundfile.read(path, always_2d=True)[0].T.shape
    assert lengths == {samples: ((channels, samples), (channels, samples)) for samples in SAMPLES}


def test_length_of_a_song(tmp_path: Path, song_excerpt: Audio) -> None:
    waveform = song_excerpt[1, :, : 115 * 1152 + 20]
    assert read(write(tmp_path / "a.mp3", waveform)).shape == waveform.shape


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg program")
@pytest.mark.parametrize("samples", [1, 46, 1153, 4608, 5780])
def test_length_in_the_ffmpeg_program(tmp_path: Path, drums: Audio, samples: int) -> None:
    write(tmp_path / "a.mp3", drums[:, :samples])
    command = ["ffmpeg", "-v", "error", "-i", "a.mp3", "-f", "f32le", "-"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert (len(done.stdout), done.stderr) == (samples * 2 * 4, b"")


@pytest.mark.parametrize("samples", [600, 1153, 4608, 4609, 20_000])
def test_every_sample_is_in_its_place(tmp_path: Path, drums: Audio, samples: int) -> None:
    waveform = drums[0, :samples]
    again = read(write(tmp_path / "a.mp3", drums[:, :samples]))[0]
    errors = [np.square(np.roll(again, shift)[9:-9] - waveform[9:-9]).sum() for shift in range(-9, 10)]
    assert np.argmin(errors) == 9
    assert errors[9] < 0.01 * np.square(waveform).sum()


@pytest.mark.parametrize(("stem", "rate", "bit_rate", "channels", "samples"), LOOK_DIFFERENT)
def test_short_mp3_is_not_taken_for_another_format(
    tmp_path: Path, song_excerpt: Audio, stem: str, rate: int, bit_rate: int, channels: int, samples: int
) -> None:
    waveform = song_excerpt[STEMS.index(stem), :channels, 44_100 : 44_100 + samples]
    assert read(write(tmp_path / "a.mp3", waveform, rate=rate, bit_rate=bit_rate)).shape == waveform.shape


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (44_100, 1), (44_100, 2)])
def test_checksum_of_the_header_holds(tmp_path: Path, drums: Audio, rate: int, channels: int) -> None:
    """FFmpeg tells the encoder's name only where it does."""
    write(tmp_path / "a.mp3", drums[:channels, :9_000], rate=rate)
    with av.open(str(tmp_path / "a.mp3")) as container:
        assert container.streams.audio[0].metadata.get("encoder", "").startswith("Lav")


@pytest.mark.parametrize("rate", MP3_RATES)
def test_bit_rate_is_the_one_asked_for_or_the_last(tmp_path: Path, drums: Audio, rate: int) -> None:
    written = {}
    for bit_rate in MP3_BIT_RATES:
        write(tmp_path / "a.mp3", drums[:, :9_000], rate=rate, bit_rate=bit_rate)
        with av.open(str(tmp_path / "a.mp3")) as container:
            stream = container.streams.audio[0]
            sizes = [packet.size for packet in container.demux(stream) if packet.size]
        frame_seconds = (1152 if rate > 24_000 else 576) / rate
        written[bit_rate] = np.mean(sizes) * 8 / 1000 / frame_seconds
    expected = {bit_rate: min(bit_rate, greatest_mp3_bit_rate(rate)) for bit_rate in MP3_BIT_RATES}
    assert written == pytest.approx(expected, rel=0.02)
