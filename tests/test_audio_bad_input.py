"""What is no audio, or not whole, gets one sentence; nothing half-written stays."""

import errno
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix import audio
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def stems(song_excerpt: Audio) -> Audio:
    """Two seconds in which every stem sounds."""
    return song_excerpt[:, :, 66_150:154_350]


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory, stems: Audio, encode_mp4: Make) -> bytes:
    """Four stems in one mp4 whose index is in front."""
    return encode_mp4(tmp_path_factory.mktemp("mp4") / "a.mp4", list(stems)).read_bytes()


TEXT = "These are not the samples you are looking for.\n" * 50


@pytest.mark.parametrize("read", [audio.read, audio.read_streams])
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.wav", None, "no such file"),
        ("gone.mp4", None, "no such file"),
        ("empty.wav", b"", "empty file"),
        ("empty.mp4", b"", "empty file"),
        ("text.wav", TEXT.encode(), "cannot be decoded"),
        ("text.mp4", TEXT.encode(), "cannot be decoded"),
        ("text.mp3", TEXT.encode(), "cannot be decoded"),
        ("noise.flac", np.random.default_rng(0).bytes(5000), "get it again"),
    ],
)
def test_what_is_no_audio_is_named(
    tmp_path: Path, read: Callable[[Path], object], name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DemixError, match=says) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="folder"):
        audio.read(tmp_path)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DemixError, match="permissions"):
        audio.read(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_an_mp4_that_was_cut_off(tmp_path: Path, mp4: bytes, keep: float) -> None:
    """The index promises more than there is: FFmpeg alone reads on without a word."""
    (tmp_path / "cut.mp4").write_bytes(mp4[: int(len(mp4) * keep)])
    with pytest.raises(DemixError, match=r"cut\.mp4.*get it again"):
        audio.read_streams(tmp_path / "cut.mp4")


def test_an_mp4_with_damage_in_the_middle(tmp_path: Path, mp4: bytes) -> None:
    third = len(mp4) // 3
    (tmp_path / "a.mp4").write_bytes(mp4[:third] + np.random.default_rng(0).bytes(third) + mp4[2 * third :])
    with pytest.raises(DemixError, match=r"a\.mp4.*get it again"):
        audio.read_streams(tmp_path / "a.mp4")


def test_streams_of_unequal_length(tmp_path: Path, stems: Audio, encode_mp4: Make) -> None:
    path = encode_mp4(tmp_path / "a.mp4", [stems[0], stems[1][:, :44_100]])
    with pytest.raises(DemixError, match=r"2\.0\d, 1\.0"):
        audio.read_streams(path)
    assert audio.read(path)[0].shape == stems[0].shape  # the first stream alone is in order


def test_streams_of_unequal_rate(tmp_path: Path, stems: Audio, encode_mp4: Make) -> None:
    path = encode_mp4(tmp_path / "a.mp4", list(stems[:2]), rate=[44_100, 48_000])
    with pytest.raises(DemixError, match="44100, 48000"):
        audio.read_streams(path)


def test_a_film_without_sound(tmp_path: Path, encode_mp4: Make) -> None:
    with pytest.raises(DemixError, match="without an audio stream"):
        audio.read(encode_mp4(tmp_path / "a.mp4", [], picture_first=True))


def test_no_samples_and_samples_that_are_no_numbers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), 44_100)
    with pytest.raises(DemixError, match="no samples"):
        audio.read(tmp_path / "none.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([[0.0, np.nan]]), 44_100, subtype="FLOAT")
    with pytest.raises(DemixError, match="NaN"):
        audio.read(tmp_path / "nan.wav")


def test_a_playlist_in_disguise_opens_no_address(tmp_path: Path) -> None:
    """FFmpeg would follow it; a server that separates uploads must not fetch what an upload names."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/secret.ts"
        path = tmp_path / "song.m3u8"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(DemixError):
            audio.read(path)
        server.shutdown()
    assert not asked


@pytest.mark.parametrize(
    ("name", "shape", "subtype", "says"),
    [
        ("a.xyz", (2, 100), None, r"ends in \.wav"),
        ("a.wav", (100,), None, r"shape \(100,\)"),
        ("a.mp3", (5, 100), None, "5 channels"),
        ("a.wav", (2, 100), "MPEG_LAYER_III", "MPEG_LAYER_III"),
        ("a.wav", (2, 100), "NONSENSE", "NONSENSE"),
    ],
)
def test_what_cannot_be_written_is_named(
    tmp_path: Path, name: str, shape: tuple[int, ...], subtype: str | None, says: str
) -> None:
    with pytest.raises(DemixError, match=says):
        audio.write(tmp_path / name, np.zeros(shape, np.float32), sample_rate=44_100, subtype=subtype)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, stems: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, stems[0], sample_rate=44_100)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DemixError, match=r"a\.wav.*No space left"):
        audio.write(path, stems[1], sample_rate=44_100)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
