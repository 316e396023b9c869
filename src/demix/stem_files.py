"""The stems of one song as files that grow block by block, their loudest sample kept in bounds."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from demix.audio_write import AudioSink
from demix.config import STEMS
from demix.output import Output

Audio = npt.NDArray[np.float32]

BLOCK_SAMPLES = 1 << 16


class StemFiles:
    """The files of one song's stems.

    To rescale, the loudest sample of all stems has to be known before the first is written, so until then the samples
    wait as floats in files beside, not in memory.

    Args:
        paths: stem -> file to write, the stems of `output.names`.
        output: format, bit depth, clip mode.
        sample_rate: in Hz.
        channels: number of channels.
        layout: channels in FFmpeg's words.
        tags: title, artist and the like.
        names: stem -> what error messages call its file, by default its path.

    Raises:
        DemixError: when a file cannot be written or its format cannot hold such audio.
    """

    def __init__(
        self,
        paths: dict[str, Path],
        *,
        output: Output,
        sample_rate: int,
        channels: int,
        layout: str,
        tags: dict[str, str],
        names: dict[str, Path] | None = None,
    ) -> None:
        self._output, self._channels = output, channels
        self._peak = 0.0
        self._sinks: list[AudioSink] = []
        self._waiting: list[tuple[Path, BinaryIO]] = []
        try:
            for stem, path in paths.items():
                self._sinks.append(
                    AudioSink(
                        path,
                        kind=output.kind,
                        depth=output.depth,
                        sample_rate=sample_rate,
                        layout=layout,
                        tags=tags,
                        bit_rate=output.mp3_bitrate,
                        name=(names or paths)[stem],
                    )
                )
                if output.rescales:
                    waiting = path.with_name(f"{path.name}.raw")
                    self._waiting.append((waiting, waiting.open("wb")))
        except BaseException:
            self.abandon()
            raise

    def write(self, stems: Audio) -> None:
        """Append `(stems, channels, samples)`, stems in the order of `STEMS`."""
        if self._output.two_stems is not None:
            one = STEMS.index(self._output.two_stems)
            rest = np.delete(stems, one, axis=0).sum(axis=0)
            stems = np.stack([stems[one], rest])
        if self._waiting:
            self._peak = max(self._peak, float(np.abs(stems).max(initial=0)))
            for stem, (_, file) in zip(stems, self._waiting, strict=True):
                file.write(np.ascontiguousarray(stem.T).data)
            return
        if self._output.clip_mode == "clamp":
            stems = stems.clip(-1, 1)
        for stem, sink in zip(stems, self._sinks, strict=True):
            sink.write(stem)

    def finish(self) -> float:
        """Complete all files.

        Returns:
            The factor that all stems were multiplied by, 1 unless something was beyond full scale.
        """
        gain = 1 / max(1.0, self._peak)
        if self._waiting:
            for (path, file), sink in zip(self._waiting, self._sinks, strict=True):
                file.close()
                _copy(path, sink, channels=self._channels, gain=np.float32(gain))
                path.unlink()
        while self._sinks:
            self._sinks.pop(0).close()
        return gain

    def abandon(self) -> None:
        """Let go of all files; they stay incomplete."""
        for _, file in self._waiting:
            file.close()
        for sink in self._sinks:
            sink.close(complete=False)


def _copy(path: Path, sink: AudioSink, *, channels: int, gain: np.float32) -> None:
    """Write the floats that wait in a file, multiplied by `gain`."""
    with path.open("rb") as file:
        while piece := file.read(BLOCK_SAMPLES * channels * 4):
            sink.write(np.frombuffer(piece, np.float32).reshape(-1, channels).T * gain)
