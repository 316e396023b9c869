"""Audio files written block by block: wav, flac, mp3, through PyAV; what each of them can hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from demix.audio_ends import ID3_HEAD_BYTES, mp3_start
from demix.config import SAMPLE_RATE
from demix.errors import DemixError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

Audio = npt.NDArray[np.float32]

MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # Hz
MP3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kilobits per second, of MPEG-1
GREATEST_CHANNELS = {"flac": 8, "mp3": 2}
# FFmpeg takes fewer than seven frames, their header among them, for another format when their bytes happen to look
# like it. Silence around the music makes an mp3 long enough; players leave it out, as its header tells them to.
LEAST_MP3_SAMPLES = 4 * 1152 + 1
MP3_LEAD_SAMPLES = 3 * 1152 - 1105  # + the codec's delay: whole frames, for FFmpeg leaves out one end of a frame only
# All that FFmpeg writes into a wav: ff_riff_info_conv of libavformat/riff.c, less the encoder, which is FFmpeg itself;
# and riff_tags of libavformat/riffenc.c, fields that it takes by their own names in capitals.
# fmt: off
WAV_TAGS = {
    "artist", "comment", "copyright", "date", "genre", "language", "title", "album", "track", "timecode", "encoded_by",
}
WAV_FIELDS = {
    "IARL", "IART", "ICMS", "ICMT", "ICOP", "ICRD", "ICRP", "IDIM", "IDPI", "IENG", "IGNR", "IKEY", "ILGT", "ILNG",
    "IMED", "INAM", "IPLT", "IPRD", "IPRT", "ITRK", "ISBJ", "ISFT", "ISHP", "ISMP", "ISRC", "ISRF", "ITCH",
}
# fmt: on


@dataclass(frozen=True)
class Encoding:
    """How samples are stored.

    Args:
        codec: FFmpeg's name of the encoder.
        sample_format: what it is given, in FFmpeg's words.
        bits: of an integer sample, 0 for floats.
        bytes_per_sample: at most, to ask for room on the disk.
    """

    codec: str
    sample_format: str
    bits: int
    bytes_per_sample: int


ENCODINGS = {
    ("wav", "int16"): Encoding("pcm_s16le", "s16", 16, 2),
    ("wav", "int24"): Encoding("pcm_s24le", "s32", 24, 3),
    ("wav", "float32"): Encoding("pcm_f32le", "flt", 0, 4),
    ("flac", "int16"): Encoding("flac", "s16", 16, 2),
    ("flac", "int24"): Encoding("flac", "s32", 24, 3),
    ("mp3", "int16"): Encoding("libmp3lame", "fltp", 0, 1),
}


def writable_rate(kind: str, sample_rate: int) -> int:
    """Return the rate of a file for audio of some sample rate: the same, but 44.1 kHz where mp3 does not know it."""
    return sample_rate if kind != "mp3" or sample_rate in MP3_RATES else SAMPLE_RATE


def greatest_mp3_bit_rate(sample_rate: int) -> int:
    """Return the kilobits per second that an mp3 of so many Hz ends at: MPEG-1, MPEG-2 and MPEG-2.5 differ."""
    return 320 if sample_rate > 24_000 else 160 if sample_rate > 12_000 else 64


def lost_tags(kind: str, names: Iterable[str]) -> list[str]:
    """Return the tags that a format has no place for.

    Args:
        kind: `wav`, `flac` or `mp3`.
        names: of tags, as FFmpeg calls them.
    """
    if kind == "wav":
        return [name for name in names if name.lower() not in WAV_TAGS and name not in WAV_FIELDS]
    return [name for name in names if kind == "flac" and "=" in name]  # there the first = ends the name


class AudioSink:
    """An audio file that is being written; call `close` at the end, also when something failed.

    Args:
        path: the file; it is replaced. Its suffix does not matter.
        name: what error messages call the file, by default its path.
        kind: `wav`, `flac` or `mp3`.
        depth: `int16`, `int24` or `float32`, as in `ENCODINGS`.
        sample_rate: in Hz; of an mp3 one of `MP3_RATES`.
        layout: channels in FFmpeg's words: `mono`, `stereo`, `5.1`, `7 channels`.
        tags: title, artist and the like; `lost_tags` are left out.
        bit_rate: of an mp3, in kilobits per second, one of `MP3_BIT_RATES`; less where the sample rate ends earlier.

    Raises:
        DemixError: when the file cannot be written, or the format cannot hold such audio.
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: str,
        depth: str,
        sample_rate: int,
        layout: str,
        tags: dict[str, str],
        bit_rate: int = 320,
        name: Path | None = None,
    ) -> None:
        import av

        self.path, self._name, self._rate, self._layout = path, name or path, sample_rate, layout
        self._encoding = ENCODINGS[kind, depth]
        self._samples = self._encoded = 0
        self._is_mp3 = kind == "mp3"
        self._start: list[Audio] = []  # of an mp3 that may end before it is long enough
        self._container: OutputContainer
        try:
            # rf64: a wav beyond 4 GiB gets a header that can count so far
            options = {"rf64": "auto"} if kind == "wav" else {}
            self._container = av.open(f"file:{path}", "w", format=kind, container_options=options)
        except (av.FFmpegError, OSError) as error:
            raise self._unwritable(error) from error
        try:
            self._container.metadata.update(tags)
            self._stream = cast("AudioStream", self._container.add_stream(self._encoding.codec, rate=sample_rate))
            self._stream.layout = layout
            self._stream.format = self._encoding.sample_format
            if kind == "mp3":
                self._stream.bit_rate = min(bit_rate, greatest_mp3_bit_rate(sample_rate)) * 1000
        except (av.FFmpegError, ValueError) as error:
            self._container.close()
            raise self._unwritable(error) from error

    def write(self, block: Audio) -> None:
        """Append `(channels, samples)`; integers clip at full scale."""
        if not block.shape[1]:
            return
        waits = self._is_mp3 and self._samples < LEAST_MP3_SAMPLES
        self._samples += block.shape[1]
        if waits:
            self._start.append(block.copy())
            if self._samples < LEAST_MP3_SAMPLES:
                return
            block, self._start = np.concatenate(self._start, axis=1), []
        self._encode(block)

    def close(self, *, complete: bool = True) -> None:
        """Finish the file; with `complete=False` only let go of it."""
        import av

        try:
            before = 0
            if complete and self._start:
                before = MP3_LEAD_SAMPLES
                after = max(0, LEAST_MP3_SAMPLES - before - self._samples)
                self._encode(np.pad(np.concatenate(self._start, axis=1), ((0, 0), (before, after))))
            if complete:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if complete and self._is_mp3 and self._samples:
                _tell_mp3_length(self.path, samples=self._samples, before=before)
        except (av.FFmpegError, OSError, ValueError) as error:
            if complete:
                raise self._unwritable(error) from error

    def _encode(self, block: Audio) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(
            self._encode_samples(block), format=self._encoding.sample_format, layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts = self._encoded
        frame.time_base = Fraction(1, self._rate)
        self._encoded += block.shape[1]
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, ValueError) as error:
            raise self._unwritable(error) from error

    def _encode_samples(self, block: Audio) -> npt.NDArray:
        """Turn floats into what the encoder takes: planes of floats, or one row of interleaved samples."""
        if self._encoding.sample_format == "fltp":
            return np.ascontiguousarray(block)
        rows = np.ascontiguousarray(block.T).reshape(1, -1)
        bits = self._encoding.bits
        if not bits:
            return rows
        full = float(1 << (bits - 1))
        whole = np.clip(np.rint(rows * np.float32(full)), -full, full - 1)
        return whole.astype(np.int16) if bits == 16 else whole.astype(np.int32) << 8

    def _unwritable(self, error: Exception) -> DemixError:
        reason = getattr(error, "strerror", None) or str(error)
        return DemixError(
            f"{self._name}: cannot be written ({reason}); free some room or choose another format or folder"
        )


def _tell_mp3_length(path: Path, *, samples: int, before: int) -> None:
    """Write into an mp3's header how many of its samples to leave out at both ends.

    FFmpeg counts what the last frame has too many. LAME adds another frame when fewer than 576 would be left over, and
    then the ones of the frame before are missing in that count: the mp3 would be up to 46 samples too long.

    Args:
        path: an mp3 as FFmpeg writes it: ID3v2, a frame without sound that holds the header, frames.
        samples: of the music.
        before: samples of silence that were put in front of it.

    Reference:
        The LAME tag, http://gabriel.mp3-tech.org/mp3infotag.html
    """
    with path.open("r+b") as file:
        frame_start = mp3_start(file.read(ID3_HEAD_BYTES))
        file.seek(frame_start)
        frame = bytearray(file.read(4 + 32 + 156))
        is_mpeg1, is_mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
        info = 4 + (17 if is_mpeg1 == is_mono else 32 if is_mpeg1 else 9)
        count = int.from_bytes(frame[info + 8 : info + 12], "big") * (1152 if is_mpeg1 else 576)
        delay = int.from_bytes(frame[info + 141 : info + 143], "big") >> 4
        ends = (delay + before) << 12 | (count - delay - before - samples)
        frame[info + 141 : info + 144] = ends.to_bytes(3, "big")
        frame[info + 154 : info + 156] = _crc16(bytes(frame[: info + 154])).to_bytes(2, "big")
        file.seek(frame_start)
        file.write(frame)


def _crc16(content: bytes) -> int:
    """Return CRC-16 (polynomial 0x8005, bits reversed, from 0)."""
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 * (crc & 1)
    return crc
