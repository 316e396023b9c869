"""Audio files written block by block: wav, flac, mp3, through PyAV."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

Audio = npt.NDArray[np.float32]

MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # Hz
GREATEST_CHANNELS = {"flac": 8, "mp3": 2}


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


class AudioSink:
    """An audio file that is being written; call `close` at the end, also when something failed.

    Args:
        path: the file; it is replaced. Its suffix does not matter.
        kind: `wav`, `flac` or `mp3`.
        depth: `int16`, `int24` or `float32`, as in `ENCODINGS`.
        sample_rate: in Hz; of an mp3 one of `MP3_RATES`.
        layout: channels in FFmpeg's words: `mono`, `stereo`, `5.1`, `7 channels`.
        tags: title, artist and the like; a wav keeps those that its format has a place for.
        bit_rate: of an mp3, in bits per second.

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
        bit_rate: int = 320_000,
    ) -> None:
        import av

        self.path, self._rate, self._layout = path, sample_rate, layout
        self._encoding = ENCODINGS[kind, depth]
        self._samples = 0
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
                self._stream.bit_rate = bit_rate
        except (av.FFmpegError, ValueError) as error:
            self._container.close()
            raise self._unwritable(error) from error

    def write(self, block: Audio) -> None:
        """Append `(channels, samples)`; integers clip at full scale."""
        import av

        if not block.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(
            self._encode_samples(block), format=self._encoding.sample_format, layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts = self._samples
        frame.time_base = Fraction(1, self._rate)
        self._samples += block.shape[1]
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, ValueError) as error:
            raise self._unwritable(error) from error

    def close(self, *, complete: bool = True) -> None:
        """Finish the file; with `complete=False` only let go of it."""
        import av

        try:
            if complete:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except (av.FFmpegError, ValueError) as error:
            if complete:
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
            f"{self.path}: cannot be written ({reason}); free some room or choose another format or folder"
        )
