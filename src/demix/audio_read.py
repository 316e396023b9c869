"""A file's audio block by block, with what its header says: PyAV (FFmpeg's libraries), in bounded memory.

`demix.audio.read` gives a whole file at once; this is for files of any length that come from anywhere. Nothing is
resampled, mixed down or clipped here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from demix.audio import MISSING_SECONDS, check_file
from demix.audio_decode import Decoder, safe_options, undecodable
from demix.audio_ends import check_whole, counted_samples, ends_in_a_packet
from demix.errors import DemixError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

Audio = npt.NDArray[np.float32]

BLOCK_SAMPLES = 1 << 15
LEAST_RATE, GREATEST_RATE = 1_000, 768_000  # Hz
GREATEST_CHANNELS = 32
PADDING_SAMPLES = 2 * 2048  # AAC's frames have at most 2048 samples; encoders fill up the last and may append one
LONGEST_STREAM = ("matroska", "flv")  # FFmpeg's names: their headers give the length of the longest stream
GREATEST_HOURS = 12  # a few kilobytes of flac can decode to days
# tags that describe the container and not the music
TECHNICAL = {"encoder", "encoded_by", "software", "duration", "handler_name", "vendor_id"}
TECHNICAL |= {"major_brand", "minor_version", "compatible_brands"}


@dataclass
class AudioSource:
    """An audio file that is open for reading; use it in a `with` block.

    Args:
        path: any file that FFmpeg decodes; the content counts, not the suffix. Of several audio streams the first.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        layout: FFmpeg's name of their arrangement, such as `5.1`.
        seconds: length by the header, None where it gives none; may be a guess.
        tags: title, artist and the like.
        notes: what a user should know about this file, a phrase each.

    Raises:
        DemixError: for a file that is missing, empty or holds no audio that can be decoded.

    Example:
        >>> with AudioSource(Path("song.mp3")) as source:
        ...     for block in source.blocks():        # (channels, samples)
        ...         ...
    """

    path: Path
    sample_rate: int = field(init=False)
    channels: int = field(init=False)
    layout: str = field(init=False)
    seconds: float | None = field(init=False)
    tags: dict[str, str] = field(init=False)
    notes: list[str] = field(init=False, default_factory=list)
    _container: "InputContainer" = field(init=False, repr=False)
    _stream: "AudioStream" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import av

        check_file(self.path)
        try:
            self._container = av.open(f"file:{self.path}", metadata_errors="replace", container_options=safe_options())
        except (av.FFmpegError, ValueError) as error:
            raise undecodable(self.path) from error
        try:
            self._read_header()
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def blocks(self) -> Iterator[Audio]:
        """Decode from the start to the end, once.

        Yields:
            `(channels, samples)`, float32, finite and not clipped.

        Raises:
            DemixError: for a file that is cut off or damaged, samples that are not finite or absurdly loud, none at
                all, or more than twelve hours of them.
        """
        check_whole(self.path, self._container.format.name)  # here, as it may read the whole file
        declared = self.counted_samples()
        decoder = Decoder(self.path, self._container, self._stream, self.sample_rate, self.channels)
        decoded = decoder.pieces()
        if self._is_mp4 and declared is not None:
            decoded = self._without_padding(decoded, declared)
        done, waiting = 0, 0
        pieces: list[Audio] = []
        for piece in decoded:
            pieces.append(piece)
            waiting += piece.shape[1]
            if waiting >= BLOCK_SAMPLES:
                done, waiting = done + waiting, 0
                yield self._joined(pieces, done)
                pieces = []
        done += waiting
        if waiting:
            yield self._joined(pieces, done)
        self.notes += decoder.notes
        if not done:
            raise DemixError(f"{self.path}: expected audio, received a file of no samples; get it again")
        if declared is not None and done < declared - MISSING_SECONDS * self.sample_rate:
            raise DemixError(
                f"{self.path}: expected {declared / self.sample_rate:.2f} s as its header says, received "
                f"{done / self.sample_rate:.2f} s; it is cut off or damaged: get it again"
            )
        if self.seconds is not None and set(self._container.format.name.split(",")) & set(LONGEST_STREAM):
            missing = self.seconds - done / self.sample_rate - decoder.gap_seconds
            if missing > MISSING_SECONDS:
                self.notes.append(f"{missing:.1f} s shorter than its header says: cut off, or its picture is longer")

    def _without_padding(self, pieces: Iterator[Audio], declared: int) -> Iterator[Audio]:
        """Leave out what the encoder appended to fill its last frame.

        Where far more follows than that, the header is wrong: all is kept, and a note says so.
        """
        done = 0
        padding: list[Audio] = []  # waits to be music after all
        for piece in pieces:
            inside = max(0, declared - done)
            done += piece.shape[1]
            if done - declared > PADDING_SAMPLES:
                yield from padding
                padding = []
                yield piece
            else:
                yield piece[:, :inside]
                padding.append(piece[:, inside:])
        if done - declared > PADDING_SAMPLES:
            self.notes.append(
                f"its header says {declared / self.sample_rate:.2f} s, but {done / self.sample_rate:.2f} s are there: "
                "all are kept"
            )

    def _read_header(self) -> None:
        streams = self._container.streams.audio
        if not streams:
            raise DemixError(f"{self.path}: expected audio, received a file without an audio stream")
        self._stream = streams[0]
        if len(streams) > 1:
            self.notes.append(f"of its {len(streams)} audio streams only the first is read")
        if not getattr(self._stream, "rate", 0):  # without a decoder for it PyAV's stream has not even a rate
            raise undecodable(self.path)
        self.sample_rate = self._stream.rate
        self.layout = self._stream.layout.name
        self.channels = self._stream.layout.nb_channels
        self._check_header()
        self.seconds = None
        if self._stream.duration is not None and self._stream.time_base is not None:
            self.seconds = max(0.0, float(self._stream.duration * self._stream.time_base))
        elif self._container.duration is not None:
            self.seconds = max(0.0, self._container.duration / 1_000_000)
        if self.seconds is not None and self.seconds > GREATEST_HOURS * 3600:
            raise self._too_long()
        self._note_edits()
        merged = {**self._stream.metadata, **self._container.metadata}
        self.tags = {key: value for key, value in merged.items() if key.lower() not in TECHNICAL}

    def _note_edits(self) -> None:
        """Note what the edit list of an mp4 leaves out, beyond the encoder's delay and padding."""
        import av

        if not self._is_mp4 or self.seconds is None:
            return
        try:
            with av.open(
                f"file:{self.path}",
                metadata_errors="replace",
                container_options=safe_options() | {"ignore_editlist": "1"},
            ) as container:
                stream = container.streams.audio[0]
                if stream.duration is None or stream.time_base is None:
                    return
                held = float(stream.duration * stream.time_base)
        except (av.FFmpegError, ValueError) as error:
            raise undecodable(self.path) from error
        if held - self.seconds > 2 * PADDING_SAMPLES / self.sample_rate:
            self.notes.append(f"its edit list leaves out {held - self.seconds:.2f} s of {held:.2f} s")

    @property
    def _is_mp4(self) -> bool:
        return "mp4" in self._container.format.name

    def _check_header(self) -> None:
        if not LEAST_RATE <= self.sample_rate <= GREATEST_RATE:
            raise DemixError(
                f"{self.path}: expected a sample rate of {LEAST_RATE} to {GREATEST_RATE} Hz, received "
                f"{self.sample_rate} Hz; its header may be damaged: get it again"
            )
        if not 1 <= self.channels <= GREATEST_CHANNELS:
            raise DemixError(
                f"{self.path}: expected 1 to {GREATEST_CHANNELS} channels, received {self.channels}; "
                "its header may be damaged: get it again"
            )
        if ends_in_a_packet(self.path, self._container.format.name):
            self.notes.append("its last packet is incomplete: it may be cut off")

    def counted_samples(self) -> int | None:
        """Return the number of samples that the header counts, None where it counts none."""
        name, seconds = self._container.format.name, self.seconds
        if seconds is None:
            return None
        return counted_samples(self.path, name, seconds=seconds, sample_rate=self.sample_rate) or None

    def _joined(self, pieces: list[Audio], done: int) -> Audio:
        block = np.concatenate(pieces, axis=1)
        if done > GREATEST_HOURS * 3600 * self.sample_rate:
            raise self._too_long()
        return block

    def _too_long(self) -> DemixError:
        return DemixError(f"{self.path}: expected at most {GREATEST_HOURS} hours, received more; cut it into parts")


def layout_for(name: str, channels: int) -> str:
    """Return the channel layout to write for one that was read: mono and stereo by name, the unknown by number."""
    if re.fullmatch(r"\d+ channels", name):
        return {1: "mono", 2: "stereo"}.get(channels, name)
    return name
