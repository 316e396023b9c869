"""Packets of one audio stream to float samples, with an account of what is broken among them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from demix.errors import DemixError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

Audio = npt.NDArray[np.float32]

GREATEST_PEAK = 64  # +36 dBFS: float files may pass 1, but music is nowhere near this
# +12 dBFS: a damaged mp3 frame still decodes, at any loudness; all stems would be scaled down for it
GREATEST_MP3_PEAK = 4
JUMP_SECONDS = 0.1  # the time stamps of whole Vorbis files waver by a block, 0.02 s
# FFmpeg's names of formats that are nothing but frames: only the last frame can tell that the file was cut off
BARE_FRAMES = ("mp3", "ac3", "eac3", "dts")
# FFmpeg's names of what is no file with sound but names other files, streams or devices, and would open them.
_REFERRING = """
    alsa concat dash fbdev hls image2 image2pipe lavfi rtp rtsp sap sdp video4linux2,v4l2 webm_dash_manifest x11grab
"""
FRAMES_COMPARED = 32
FRAME_BYTES_APART = 4  # frames of a constant bit rate differ by a byte or a word of padding


@dataclass
class Decoder:
    """The samples of an audio stream, once.

    Of an mp3, what cannot be decoded is left out, since strange bytes between its frames are common and harmless, and
    a frame that is absurdly loud is replaced by silence of the same length, so that the rest stays in time. In all
    other formats damage raises.

    Args:
        path: the file, for messages.
        container: the file, open.
        stream: its stream to decode.
        sample_rate: of the stream, in Hz.
        channels: of the stream.

    Attributes:
        gap_seconds: what the time stamps jump over, after `pieces` ended.
        notes: what a user should know, a phrase each, after `pieces` ended.
    """

    path: Path
    container: "InputContainer"
    stream: "AudioStream"
    sample_rate: int
    channels: int
    gap_seconds: float = field(init=False, default=0.0)
    notes: list[str] = field(init=False, default_factory=list)
    _silenced: int = field(init=False, default=0)
    _next_time: float | None = field(init=False, default=None)  # where the next frame should begin, in seconds

    def pieces(self) -> Iterator[Audio]:
        """Decode from the start to the end.

        Yields:
            A frame each, `(channels, samples)`, float32 and not clipped.

        Raises:
            DemixError: for what cannot be decoded, absurdly loud samples, those that are not finite, and a rate or
                channels that change.
        """
        import av
        from av.audio.resampler import AudioResampler

        is_mp3 = self.container.format.name == "mp3"
        # Integers to floats. Interleaved, since PyAV reads beyond the planes of eight and more channels and crashes.
        resampler = AudioResampler(format="flt")
        left_out = 0
        sizes: deque[int] = deque(maxlen=FRAMES_COMPARED)
        try:
            for packet in self.container.demux(self.stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    if not is_mp3:
                        raise
                    left_out += 1
                    continue
                if packet.size:  # the last packet is none, it asks the decoder for what it still holds
                    sizes.append(packet.size)
                for frame in frames:
                    self._check_format(frame)
                    self._follow_time(frame)
                    for piece in resampler.resample(frame):
                        samples = piece.to_ndarray().astype(np.float32, copy=False).reshape(-1, self.channels).T
                        yield self._checked(samples, is_mp3=is_mp3)
        except (av.FFmpegError, ValueError) as error:
            raise undecodable(self.path) from error
        if left_out:
            self.notes.append(
                "a damaged frame is left out" if left_out == 1 else f"{left_out} damaged frames are left out"
            )
        if self._silenced:
            self.notes.append(f"{self._silenced} damaged frames are replaced by silence")
        if self.gap_seconds and not is_mp3:
            self.notes.append(f"{self.gap_seconds:.1f} s are missing in its middle, as its time stamps say")
        if self.container.format.name in BARE_FRAMES and _is_short(list(sizes)):
            self.notes.append("its last frame is incomplete: it may be cut off")

    def _check_format(self, frame: "AudioFrame") -> None:
        if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.channels:
            raise DemixError(
                f"{self.path}: expected {self.channels} channels at {self.sample_rate} Hz throughout, received "
                f"{frame.layout.nb_channels} at {frame.sample_rate} Hz in the middle; cut it there"
            )

    def _follow_time(self, frame: "AudioFrame") -> None:
        """Add up where the time stamps jump ahead; a jump back is a stream behind another in one file."""
        if frame.pts is None or frame.time_base is None:
            return
        start = float(frame.pts * frame.time_base)
        if self._next_time is not None and start - self._next_time > JUMP_SECONDS:
            self.gap_seconds += start - self._next_time
        self._next_time = start + frame.samples / self.sample_rate

    def _checked(self, samples: Audio, *, is_mp3: bool) -> Audio:
        """Give back samples of a loudness that music can have; NaN fails every comparison."""
        peak = float(np.abs(samples).max(initial=0))
        if peak <= (GREATEST_MP3_PEAK if is_mp3 else GREATEST_PEAK):
            return samples
        if is_mp3:
            self._silenced += 1
            return np.zeros_like(samples)
        if not np.isfinite(peak):
            raise DemixError(f"{self.path}: expected finite samples, received NaN or infinity; export it again")
        raise DemixError(
            f"{self.path}: expected samples within {GREATEST_PEAK} times full scale, which is 1, received {peak:.4g}; "
            "it is damaged or not scaled to 1: get it again or export it again"
        )


@cache
def safe_options() -> dict[str, str]:
    """Return FFmpeg's options that let it open the file itself and nothing that the file names."""
    import av

    return {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(sorted(av.formats_available - set(_REFERRING.split()))),
    }


def undecodable(path: Path) -> DemixError:
    """Return the error for what no decoder takes."""
    return DemixError(
        f"{path}: expected audio, received something that cannot be decoded; it is damaged or no audio file: "
        "get it again"
    )


def _is_short(sizes: list[int]) -> bool:
    """Say whether the last of some frames is shorter than the others, which are equally long but for padding."""
    *others, last = sizes or [0]
    if len(others) < 3 or max(others) - min(others) > FRAME_BYTES_APART:
        return False
    return last < min(others) - FRAME_BYTES_APART
