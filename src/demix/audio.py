"""Files <-> waveforms, `(channels, samples)` float32.

soundfile reads wav, flac, ogg and mp3; PyAV (FFmpeg's libraries, in the wheel) reads everything else and the
audio streams of containers. Nothing is resampled, mixed down or clipped here: decoded AAC and Vorbis pass
+-1, and a reader that clips changes every score.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import soundfile
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from demix.errors import DemixError
from demix.files import atomic

Audio = npt.NDArray[np.float32]

# suffix -> (libsndfile's format, its subtype, None for its default)
FORMATS = {
    ".wav": ("WAV", "FLOAT"),  # what is written is what was given, beyond +-1 too
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
MISSING_SECONDS = 0.1  # a stream that ends this much before its container says so was cut off; AAC frames are 0.02 s
BLOCK_SAMPLES = 1 << 16  # libsndfile's Vorbis encoder overflows the stack on whole songs


def read(path: Path) -> tuple[Audio, int]:
    """Read a file's audio, of a container its first audio stream.

    Args:
        path: any format that libsndfile or FFmpeg decodes; the content counts, not the suffix.

    Returns:
        Waveform `(channels, samples)`, float32 and not clipped, and its sample rate in Hz.

    Raises:
        DemixError: for a file that is missing, empty, or holds no audio that can be decoded, and for a
            container that ends too early. A wav or ogg that was cut off reads as far as it goes.
    """
    check_file(path)
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        streams, rate = _decode(path, first_only=True)
        return streams[0], rate
    return _check_samples(path, np.ascontiguousarray(samples.T)), int(rate)


def read_streams(path: Path) -> tuple[list[Audio], int]:
    """Read every audio stream of a container, such as the five of a `.stem.mp4`.

    AAC is coded in frames of 1024 samples, so decoded streams come padded: they are trimmed to the duration
    that the container gives. Streams that are no audio (a cover picture) are passed over.

    Args:
        path: a container that FFmpeg reads.

    Returns:
        Waveforms `(channels, samples)` in the order of the streams, equally long, float32 and not clipped,
        and their sample rate in Hz.

    Raises:
        DemixError: for a file that is missing, empty or corrupt, has no audio stream, or whose streams differ
            in rate or length.
    """
    check_file(path)
    return _decode(path, first_only=False)


def write(path: Path, waveform: Audio, *, sample_rate: int, subtype: str | None = None) -> None:
    """Write a waveform; the file appears whole or not at all.

    Args:
        path: the suffix chooses the format: wav (32-bit float), flac (24 bit), ogg (Vorbis) or mp3. All but
            the float wav clip at +-1.
        waveform: `(channels, samples)`.
        sample_rate: in Hz.
        subtype: another encoding of the format in libsndfile's words, such as `PCM_16`.

    Raises:
        DemixError: for another suffix, a waveform that is not `(channels, samples)`, an encoding that the
            format does not have, or a file that cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise DemixError(f"{path}: expected a name that ends in {', '.join(FORMATS)}, received {path.suffix!r}")
    if waveform.ndim != 2:
        raise DemixError(f"{path}: expected audio as (channels, samples), received shape {waveform.shape}")
    kind, default = FORMATS[path.suffix.lower()]
    encoded = io.BytesIO()  # libsndfile tells nobody of a full disk: it writes here, Python to the disk
    try:
        with soundfile.SoundFile(encoded, "w", sample_rate, waveform.shape[0], subtype or default, format=kind) as file:
            for start in range(0, waveform.shape[1], BLOCK_SAMPLES):
                file.write(waveform[:, start : start + BLOCK_SAMPLES].T)
    except (soundfile.LibsndfileError, ValueError) as error:
        reason = getattr(error, "error_string", error)
        raise DemixError(
            f"{path}: expected audio and an encoding for {kind}, received {waveform.shape[0]} channels at "
            f"{sample_rate} Hz as {subtype or default} ({reason})"
        ) from error
    with atomic(path) as target:
        target.write(encoded.getbuffer())


def check_file(path: Path) -> None:
    """Raise for what is no file that can be opened; say the obvious before a decoder says something odd."""
    if path.is_dir():
        raise DemixError(f"{path}: expected an audio file, received a folder; name a file in it")
    if path.exists() and not path.is_file():  # read more than once, which a pipe cannot be: it would wait for ever
        kind = "named pipe" if path.is_fifo() else "device"
        raise DemixError(f"{path}: expected a file, received a {kind}; pipe it in: cat {path} | demix separate -")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise DemixError(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise DemixError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if empty:
        raise DemixError(f"{path}: expected audio, received an empty file; get it again")


def _check_samples(path: Path, waveform: Audio) -> Audio:
    if not waveform.size:
        raise DemixError(f"{path}: expected audio, received a file of no samples; get it again")
    if not np.isfinite(waveform).all():
        raise DemixError(f"{path}: expected finite samples, received NaN or infinity; export it again")
    return waveform


def _decode(path: Path, *, first_only: bool) -> tuple[list[Audio], int]:
    """Decode the audio streams of a container and trim them to their common length."""
    try:
        with av.open(f"file:{path}") as container:
            streams = list(container.streams.audio)[: 1 if first_only else None]
            if not streams:
                raise DemixError(f"{path}: expected audio, received a file without an audio stream")
            rates = {getattr(stream, "rate", 0) for stream in streams}  # without a decoder a stream has no rate
            if not all(rates):
                raise DemixError(
                    f"{path}: expected audio, received something that cannot be decoded; it is damaged or of a kind "
                    "that is not known: get it again"
                )
            if len(rates) > 1:
                raise DemixError(f"{path}: expected streams of one sample rate, received {sorted(rates)} Hz")
            rate = rates.pop()
            samples = _samples(streams, container, rate)
            decoded = _decode_streams(container, streams)
    except av.FFmpegError as error:
        raise DemixError(
            f"{path}: expected audio, received something that cannot be decoded; it is damaged or no "
            "audio file: get it again"
        ) from error
    lengths = [waveform.shape[1] for waveform in decoded]
    if samples is not None and min(lengths) < samples - MISSING_SECONDS * rate:
        raise DemixError(
            f"{path}: expected {samples / rate:.2f} s in every audio stream, received "
            f"{', '.join(f'{length / rate:.2f}' for length in lengths)} s; it is cut off: get it again"
        )
    shortest = min(lengths if samples is None else [*lengths, samples])
    return [_check_samples(path, waveform[:, :shortest]) for waveform in decoded], rate


def _samples(streams: Sequence[AudioStream], container: InputContainer, rate: int) -> int | None:
    """Return the length that the container gives, in samples, or None where it is only an estimate."""
    if "mp4" not in container.format.name:  # others guess it from size and bit rate
        return None
    seconds = [
        float(stream.duration * stream.time_base)
        for stream in streams
        if stream.duration is not None and stream.time_base is not None
    ]
    if not seconds and container.duration is not None:
        seconds = [container.duration / av.time_base]
    return round(max(seconds) * rate) if seconds else None


def _decode_streams(container: InputContainer, streams: Sequence[AudioStream]) -> list[Audio]:
    """Decode streams in one pass over the file."""
    pieces: dict[int, list[Audio]] = {stream.index: [] for stream in streams}
    # Integers to floats. Interleaved, since PyAV reads beyond the planes of eight and more channels and crashes.
    resamplers = {stream.index: AudioResampler(format="flt") for stream in streams}
    for packet in container.demux(*streams):
        for frame in cast("list[AudioFrame]", packet.decode()):
            for piece in resamplers[packet.stream.index].resample(frame):
                samples = piece.to_ndarray().reshape(-1, piece.layout.nb_channels)
                pieces[packet.stream.index].append(samples.astype(np.float32, copy=False))
    return [
        np.ascontiguousarray(np.concatenate(parts).T) if parts else np.zeros((1, 0), np.float32)
        for parts in pieces.values()
    ]
