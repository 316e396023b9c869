"""Files that are broken or lie: one sentence each, no crash, no hang, nothing left, memory in bounds."""

import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix import audio, audio_read
from demix.output import Output
from demix.separation import separate
from demix.separation_events import Outcome
from demix.separator import Separator
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
MUTATIONS = 30  # of each format
GREATEST_SECONDS = 10  # for one file
GREATEST_GROWTH_KIB = 300 << 10
CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": "",  # soundfile's Vorbis: PyAV has no encoder for it
    "opus": "libopus",
    "m4a": "aac",
    "mka": "flac",
    "aiff": "pcm_s16be",
    "wv": "wavpack",
}


def steady(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    return np.full((len(spectrum), 4, *spectrum.shape[1:]), 0.25, np.float32)


def run(path: Path, out: Path) -> Outcome:
    models = {"steady": Separator(masker=steady, stft=STFT(), chunk_seconds=0.5)}
    [outcome] = separate(path, models=models, output=Output(out, force=True))
    assert not list(out.rglob(".*")), "a hidden folder was left"
    assert (outcome.status == "done") == (outcome.error is None)
    return outcome


def refused(path: Path, says: str) -> None:
    """Expect one sentence that names the file, and nothing written."""
    outcome = run(path, path.parent / "out")
    assert outcome.error is not None
    assert path.name in outcome.error
    assert says in outcome.error
    assert "\n" not in outcome.error
    assert not [file for file in (path.parent / "out").rglob("*") if file.is_file()]


def encode(path: Path, waveform: Audio, *, rate: int = 44_100) -> None:
    """Write stereo with the encoder of the suffix."""
    if path.suffix == ".ogg":
        audio.write(path, waveform, sample_rate=rate)
        return
    with av.open(str(path), "w") as container:
        rate = 48_000 if path.suffix == ".opus" else rate
        stream = container.add_stream(CODECS[path.suffix[1:]], rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout="stereo")
        frame.sample_rate = rate
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.fixture(scope="module")
def music(song_excerpt: Audio) -> Audio:
    """A third of a second in which every stem sounds."""
    return song_excerpt.sum(axis=0)[:, 70_000:85_000] / 2


def flip(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Change one to sixty bytes anywhere."""
    for place in rng.integers(0, len(content), int(rng.integers(1, 60))):
        content[place] = int(rng.integers(256))
    return content


def flip_header(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Change up to eight of the first 120 bytes, which hold rate, channels and length."""
    for place in rng.integers(0, 120, int(rng.integers(1, 8))):
        content[place] = int(rng.integers(256))
    return content


def cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    """End anywhere."""
    return content[: int(rng.integers(1, len(content)))]


def splice(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Put a piece of the file somewhere else, over what was there or before it."""
    start, end, place = sorted(rng.integers(0, len(content), 3))
    return content[:place] + content[start:end] + content[place + int(rng.integers(2)) * (end - start) :]


@pytest.mark.parametrize("suffix", list(CODECS))
def test_mutated_files_end_in_stems_or_in_a_sentence(tmp_path: Path, music: Audio, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    encode(whole, music)
    assert run(whole, tmp_path / "out").status == "done"
    content = whole.read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends = set()
    for seed in range(MUTATIONS):
        rng = np.random.default_rng(seed)
        change: Callable[..., bytearray] = (flip, flip_header, cut, splice)[seed % 4]
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(change(bytearray(content), rng))
        started = time.perf_counter()
        outcome = run(path, tmp_path / "out")
        assert time.perf_counter() - started < GREATEST_SECONDS
        assert "\n" not in (outcome.error or "")
        ends.add(outcome.status)
    assert "failed" in ends
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GREATEST_GROWTH_KIB


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp3", b"", "empty file"),
        ("text.mp3", b"These are not the samples you are looking for.\n" * 99, "cannot be decoded"),
        ("zeros.wav", bytes(100_000), "cannot be decoded"),
        ("noise.flac", np.random.default_rng(0).bytes(50_000), "cannot be decoded"),
        ("page.m4a", b"<!DOCTYPE html><html><body>404</body></html>", "cannot be decoded"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", ""),
    ],
)
def test_what_is_no_audio(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, says)


@pytest.mark.parametrize(
    ("place", "form", "value", "says"),
    [
        (22, "<H", 0, ""),
        (22, "<H", 64, "channels"),
        (22, "<H", 65_535, ""),
        (24, "<I", 0, ""),
        (24, "<I", 1, "sample rate"),
        (24, "<I", 4_000_000_000, ""),
        (40, "<I", 1_000_000_000, "cut off"),
    ],
)
def test_a_wav_whose_header_lies(tmp_path: Path, music: Audio, place: int, form: str, value: int, says: str) -> None:
    soundfile.write(tmp_path / "a.wav", music.T, 44_100, subtype="PCM_16")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into(form, content, place, value)
    (tmp_path / "a.wav").write_bytes(content)
    refused(tmp_path / "a.wav", says)


@pytest.mark.parametrize("honest", [True, False])
def test_a_bomb_of_a_flac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, honest: bool) -> None:
    """Silence packs a thousandfold; whether the header owns up to its length or not, there is an end."""
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros((60 * 44_100, 2)), 44_100)
    assert path.stat().st_size < 60 * 44_100 * 4 / 200
    if not honest:  # the count of samples is the last 36 bits before the checksum of STREAMINFO; 0 is unknown
        content = bytearray(path.read_bytes())
        content[21] &= 0xF0
        content[22:26] = bytes(4)
        path.write_bytes(content)
    monkeypatch.setattr(audio_read, "GREATEST_HOURS", 10 / 3600)
    refused(path, "hours")


def test_a_folder_and_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "expected songs in this folder and below, found none")
    path = tmp_path / "mine.wav"
    path.write_bytes(b"RIFF")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    refused(path, "check its permissions")


@pytest.mark.parametrize(
    "name", ["a b.wav", "Motörhead – ✓.wav", "-leading.wav", "100%d {x}.wav", "a: b.wav", "'q'.wav"]
)
def test_names_of_every_kind(tmp_path: Path, music: Audio, name: str) -> None:
    soundfile.write(tmp_path / name, music.T, 44_100)
    outcome = run(tmp_path / name, tmp_path / "out")
    assert outcome.status == "done", outcome.error
    assert all(Path(path).parent.name == Path(name).stem for path in outcome.stems.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.0,\nfile:{secret}\n#EXT-X-ENDLIST\n"),
        ("song", "ffconcat version 1.0\nfile secret.ts\n"),
        ("song.mp3", "ffconcat version 1.0\nfile secret.ts\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 49170 RTP/AVP 0\n"),
    ],
)
def test_a_file_that_names_others_opens_none_of_them(tmp_path: Path, name: str, text: str) -> None:
    secret = tmp_path / "secret.ts"
    with av.open(str(secret), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        for _ in range(50):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert audio_read.AudioSource(secret).channels == 2
    (tmp_path / name).write_text(text.format(secret=secret))
    refused(tmp_path / name, "cannot be decoded")
