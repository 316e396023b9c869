"""No truncation without a word: files that were cut off, damaged or mislabelled raise, or say so in a note."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix import audio
from demix.audio_read import AudioSource
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]
INCOMPLETE = ["its last frame is incomplete: it may be cut off"]
GAIN_BITS = slice(32 + 41, 32 + 49)  # of a stereo mp3 frame: the global gain of its first granule


@pytest.fixture(scope="module")
def music(song_excerpt: Audio) -> Audio:
    """Three seconds in which every stem sounds, all in one."""
    return song_excerpt.sum(axis=0)[:, 66_150:198_450] / 2


def read(path: Path) -> tuple[Audio, list[str]]:
    with AudioSource(path) as source:
        return np.concatenate(list(source.blocks()), axis=1), source.notes


def encode(path: Path, waveform: Audio, codec: str, **options: str) -> Path:
    """Write stereo; `""` is soundfile's encoder of the suffix."""
    if not codec:
        soundfile.write(path, waveform.T, 44_100)
        return path
    rate = 48_000 if codec == "libopus" else 44_100
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout="stereo")
        frame.sample_rate = rate
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def write_ogg(path: Path, waveform: Audio) -> Path:
    if path.suffix == ".opus":
        return encode(path, waveform, "libopus")
    audio.write(path, waveform, sample_rate=44_100)
    return path


def pages_of(content: bytes) -> list[bytes]:
    """Split Ogg at its marks."""
    return [b"OggS" + rest for rest in content.split(b"OggS")[1:]]


@pytest.mark.parametrize("place", [0.3, 0.6, "first", "last"])
@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_a_damaged_page_of_ogg(tmp_path: Path, music: Audio, suffix: str, place: float | str) -> None:
    """FFmpeg leaves it out: the song would be shorter, at its end by what no later time stamp tells."""
    path = write_ogg(tmp_path / f"a.{suffix}", music)
    assert read(path)[1] == []
    pages = pages_of(path.read_bytes())
    number = {"first": 2, "last": len(pages) - 1}.get(str(place))
    number = round(len(pages) * float(place)) if number is None else number
    damaged = bytearray(pages[number])
    damaged[len(damaged) // 2] ^= 255
    path.write_bytes(b"".join([*pages[:number], damaged, *pages[number + 1 :]]))
    with pytest.raises(DemixError, match=rf"a\.{suffix}: .*it is damaged: get it again"):
        read(path)


def test_an_ogg_page_whose_mark_is_gone(tmp_path: Path, music: Audio) -> None:
    path = write_ogg(tmp_path / "a.ogg", music)
    pages = pages_of(path.read_bytes())
    path.write_bytes(b"".join(pages).replace(pages[4], b"#" + pages[4][1:]))
    with pytest.raises(DemixError, match="damaged"):
        read(path)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_ogg_in_parts(tmp_path: Path, music: Audio, suffix: str) -> None:
    """A stream that begins late, one behind another and tags at the end are whole; a page that is gone is not."""
    path = write_ogg(tmp_path / f"a.{suffix}", music)
    whole = read(path)[0]
    pages = pages_of(path.read_bytes())
    late = tmp_path / f"late.{suffix}"
    late.write_bytes(b"".join(pages[:2] + pages[3:]))
    assert read(late)[1] == []
    twice = tmp_path / f"twice.{suffix}"
    twice.write_bytes(b"".join(pages * 2) + b"TAG" + bytes(125))
    waveform, notes = read(twice)
    assert waveform.shape[1] == pytest.approx(2 * whole.shape[1], abs=1_000)
    assert notes == []
    gap = tmp_path / f"gap.{suffix}"
    gap.write_bytes(b"".join(pages[:3] + pages[4:]))
    with pytest.raises(DemixError, match="a gap"):
        read(gap)


@pytest.mark.parametrize("codec", ["libopus", "aac"])
def test_a_gap_in_the_middle(tmp_path: Path, music: Audio, codec: str) -> None:
    """Packets that say when they play tell that others are missing."""
    path = tmp_path / "a.mkv"
    with av.open(str(encode(tmp_path / "whole.mkv", music, codec))) as whole, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(whole.streams.audio[0])
        for number, packet in enumerate(whole.demux(audio=0)):
            if packet.size and not 40 <= number < 80:
                packet.stream = stream
                container.mux(packet)
    seconds = 40 * (960 / 48_000 if codec == "libopus" else 1024 / 44_100)
    assert read(path)[1] == [f"{seconds:.1f} s are missing in its middle, as its time stamps say"]


@pytest.mark.parametrize("keep", [0.6, 0.9])
@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("pcm_s16le", "w64"), ("pcm_s16be", "caf"), ("", "caf"), ("", "w64"), ("pcm_s16le", "avi"), ("mp3", "avi")],
)
def test_chunks_that_end_beyond_the_file(tmp_path: Path, music: Audio, codec: str, suffix: str, keep: float) -> None:
    path = encode(tmp_path / f"a.{suffix}", music, codec)
    assert read(path)[1] == []
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DemixError, match="cut off: get it again"):
        read(path)


def test_a_caf_that_went_through_a_pipe_is_whole(tmp_path: Path, music: Audio) -> None:
    """Who writes into a pipe cannot go back and fill in the length."""
    path = encode(tmp_path / "a.caf", music, "pcm_s16le")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert read(path)[0].shape == music.shape


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("mp3", "mp3"), ("mp2", "mp2"), ("ac3", "ac3"), ("eac3", "eac3"), ("mp2", "ts"), ("ac3", "ts")],
)
def test_formats_that_know_no_length(tmp_path: Path, music: Audio, codec: str, suffix: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", music, codec, **({"write_xing": "0"} if suffix == "mp3" else {}))
    assert read(path)[1] == []
    content = path.read_bytes()
    notes = ["its last packet is incomplete: it may be cut off"] if suffix == "ts" else INCOMPLETE
    for share in (0.31, 0.47, 0.59, 0.73, 0.87):  # a cut between two frames would leave no trace
        path.write_bytes(content[: int(share * len(content))])
        assert read(path)[1] == notes
    path.write_bytes(content + b"TAG" + bytes(125))
    assert suffix != "mp3" or read(path)[1] == []


@pytest.mark.parametrize(("codec", "suffix"), [("mp3", "flv"), ("flac", "mka")])
def test_headers_with_the_length_of_the_longest_stream(tmp_path: Path, music: Audio, codec: str, suffix: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", music, codec)
    assert read(path)[1] == []
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    [note] = read(path)[1]
    assert "shorter than its header says" in note


def test_an_m4a_whose_header_says_less_than_there_is(tmp_path: Path, music: Audio, encode_mp4: Make) -> None:
    path = encode_mp4(tmp_path / "a.m4a", [music])
    whole, notes = read(path)
    assert (whole.shape, notes) == (music.shape, [])
    content = path.read_bytes()

    header = bytearray(content)
    struct.pack_into(">I", header, content.index(b"mdhd") + 20, 44_100)
    path.write_bytes(header)
    waveform, [note] = read(path)
    np.testing.assert_array_equal(waveform[:, : whole.shape[1]], whole)
    assert "its header says 1.00 s, but 3.0" in note

    edits = bytearray(content)
    struct.pack_into(">I", edits, content.index(b"elst") + 12, 1_000)  # ms; players heed it, so it is heeded
    path.write_bytes(edits)
    waveform, [note] = read(path)
    np.testing.assert_array_equal(waveform[:, :40_000], whole[:, :40_000])
    assert waveform.shape[1] == 44_100
    assert "its edit list leaves out 2.0" in note


def frame_places(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.pos for packet in container.demux(audio=0) if packet.pos is not None]


@pytest.mark.parametrize("suffix", ["mp3", "avi"])
def test_a_damaged_mp3_frame_of_absurd_loudness(tmp_path: Path, music: Audio, suffix: str) -> None:
    """All stems would be scaled down to silence for one frame."""
    path = encode(tmp_path / f"a.{suffix}", music, "mp3")
    whole = read(path)[0]
    content = bytearray(path.read_bytes())
    place = frame_places(path)[50]
    frame = np.unpackbits(np.frombuffer(bytes(content[place : place + 16]), np.uint8))
    frame[GAIN_BITS] = 1
    content[place : place + 16] = np.packbits(frame).tobytes()
    path.write_bytes(content)
    if suffix == "avi":
        with pytest.raises(DemixError, match=r"within 64 times full scale, which is 1, received \d"):
            read(path)
        return
    waveform, [note] = read(path)
    assert note in [f"{count} damaged frames are replaced by silence" for count in (1, 2)]
    different = np.flatnonzero((waveform != whole).any(axis=0))
    assert waveform.shape == whole.shape
    assert np.abs(waveform).max() < 4
    assert 0 < different[-1] - different[0] < 5 * 1152


def test_floats_of_absurd_loudness(tmp_path: Path, music: Audio) -> None:
    for factor in (30, 32_768):
        soundfile.write(tmp_path / f"{factor}.wav", music.T * factor, 44_100, subtype="FLOAT")
    np.testing.assert_allclose(read(tmp_path / "30.wav")[0], music * 30)
    with pytest.raises(DemixError, match="not scaled to 1"):
        read(tmp_path / "32768.wav")


@pytest.mark.parametrize("kind", ["pipe", "link", "device"])
def test_what_is_no_regular_file(tmp_path: Path, kind: str) -> None:
    """It would be opened several times, and wait for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if kind == "link":
        path = tmp_path / "link.wav"
        path.symlink_to(tmp_path / "pipe")
    if kind == "device":
        path = Path("/dev/null")
    says = f"{path}: expected a file, received a {'device' if kind == 'device' else 'named pipe'}; pipe it in: cat "
    with pytest.raises(DemixError, match=says):
        AudioSource(path)
    read_end, write_end = os.pipe()
    with pytest.raises(DemixError, match="received a named pipe"):
        AudioSource(Path(f"/dev/fd/{read_end}"))  # what a shell makes of <(cat song)
    os.close(read_end)
    os.close(write_end)
