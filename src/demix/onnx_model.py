"""A trained net in an ONNX file as a callable on spectra, run by ONNX Runtime. Needs no torch.

The file holds the net with its mask function. Input: `spectrum`, float32 `(batch, channels, bins, frames, 2)`, real and
imaginary part last. Output: `masks`, float32 `(batch, stems, channels, bins, frames)`. Batch and frames are free. The
metadata holds `Facts`, each under its name, as JSON: what programs and people need to know of the net.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demix.config import CHANNELS, SAMPLE_RATE, STEMS
from demix.config_checks import GREATEST_SEGMENT_SECONDS
from demix.errors import DemixError
from demix.spectral import check_stft

if TYPE_CHECKING:
    import onnxruntime

# The best first. `auto` is CUDA or the CPU: the others have not been tried and must be named.
DEVICES = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
AUTO = ("cuda", "cpu")
SILENT = 4  # ONNX Runtime's log level: what it would print it also raises


@dataclass(frozen=True)
class Facts:
    """What an ONNX file says about its net.

    Args:
        name: the run that it comes from.
        net: the architecture, a key of `demix.models.MODELS`.
        stems: names in the order of the masks.
        sample_rate: in Hz.
        n_fft: window of the STFT in samples.
        hop_length: distance of its frames in samples.
        channels: audio channels.
        mask: `softmax` or `sigmoid`.
        segment_seconds: length of the segments that it was trained on.
        parameters: number of trained numbers.
        demix: the version of demix that wrote the file.
        training: songs, licence and steps, for the card.
        scores: metric -> stem -> dB, with the `mean`; empty when not scored.
        scored_songs: the songs of the scores.
        baselines: mean `sdr` of what learns nothing, on the same songs, in dB.
    """

    name: str
    net: str
    stems: tuple[str, ...]
    sample_rate: int
    n_fft: int
    hop_length: int
    channels: int
    mask: str
    segment_seconds: float
    parameters: int
    demix: str
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    scored_songs: tuple[str, ...] = ()
    baselines: dict[str, float] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Return the facts as the metadata of an ONNX file."""
        return {key: json.dumps(value, ensure_ascii=False) for key, value in dataclasses.asdict(self).items()}


@dataclass(frozen=True)
class OnnxMasker:
    """A net in ONNX as a function from spectra to masks, both NumPy arrays; a `demix.separator.Masker`.

    Args:
        session: the net, loaded.
        facts: what its file says about it.
        device: where it runs, a key of `DEVICES`.
    """

    session: "onnxruntime.InferenceSession"
    facts: Facts
    device: str

    def __call__(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return masks `(batch, stems, channels, bins, frames)` for a spectrum `(batch, channels, bins, frames)`."""
        masks: npt.NDArray[np.float32] = self.session.run(["masks"], {"spectrum": to_parts(spectrum)})[0]
        return masks


def to_parts(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """Return `(..., 2)`: real and imaginary part of every number, as exported nets take them."""
    return np.ascontiguousarray(spectrum, np.complex64).view(np.float32).reshape(*spectrum.shape, 2)


def open_onnx(path: Path, *, device: str = "auto", threads: int | None = None) -> OnnxMasker:
    """Load a net from an ONNX file that `demix export` wrote.

    Args:
        path: the file.
        device: `auto`, or one of `available_devices()`.
        threads: cores that one forward pass uses; None is all.

    Raises:
        DemixError: when the file cannot be read or is no demix model, or the device is not there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DemixError(f"{path}: cannot be read ({error.strerror}); name a file that `demix export` wrote") from error
    return load_onnx(content, where=str(path), device=device, threads=threads)


def load_onnx(content: bytes, *, where: str, device: str = "auto", threads: int | None = None) -> OnnxMasker:
    """Load a net from the bytes of an ONNX file; `where` names them in errors. Otherwise as `open_onnx`."""
    import onnxruntime

    chosen = pick_device(device)
    if threads is not None and threads < 1:
        raise DemixError(f"threads: expected at least 1, or None for all cores, received {threads}")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads or 0  # 0 is all cores
    options.log_severity_level = SILENT
    # Idle threads sleep: between two masks the cores belong to the transforms, and to other songs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            content, options, providers=list(dict.fromkeys([DEVICES[chosen], DEVICES["cpu"]]))
        )
    except Exception as error:  # the errors of ONNX Runtime have no other base in common
        reason = str(error).strip().splitlines()[0]
        raise DemixError(f"{where}: expected an ONNX file, but {reason}; name one that `demix export` wrote") from error
    facts = _read_facts(session.get_modelmeta().custom_metadata_map, where)
    # A provider whose libraries are missing is left out without an exception.
    if DEVICES[chosen] not in session.get_providers():
        if device != "auto":
            raise DemixError(f"device: {device} is there but cannot be started; see `demix doctor`, or use cpu")
        chosen = "cpu"
    return OnnxMasker(session, facts, chosen)


def available_devices() -> list[str]:
    """Return the devices that this installation of ONNX Runtime knows, the best first."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    return [name for name, provider in DEVICES.items() if provider in there]


def pick_device(name: str = "auto") -> str:
    """Return the device of that name; `auto` is CUDA where ONNX Runtime has it, else the CPU.

    Raises:
        DemixError: for a device that ONNX Runtime does not know here.
    """
    there = available_devices()
    if name == "auto":
        return next(device for device in AUTO if device in there)
    if name not in there:
        raise DemixError(
            f"device: expected auto or one that is here ({', '.join(there)}), received {name!r}; see `demix doctor`"
        )
    return name


def _read_facts(metadata: Mapping[str, str], where: str) -> Facts:
    """Read the facts from a file's metadata.

    Raises:
        DemixError: when they are not all there, or the net is not of the stems and the sample rate that demix knows.
    """
    names = [item.name for item in dataclasses.fields(Facts)]
    missing = [name for name in names if name not in metadata]
    if missing:
        raise DemixError(
            f"{where}: expected a demix model, but its metadata lacks {', '.join(missing)}; "
            "name a file that `demix export` wrote"
        )
    try:
        values = {name: json.loads(metadata[name]) for name in names}
        facts = Facts(**{**values, "stems": tuple(values["stems"]), "scored_songs": tuple(values["scored_songs"])})
        check_stft(facts.n_fft, facts.hop_length)
        if not 0 < facts.segment_seconds <= GREATEST_SEGMENT_SECONDS:
            raise ValueError(f"segment_seconds is {facts.segment_seconds}")
    except (ValueError, TypeError, DemixError) as error:
        raise DemixError(f"{where}: expected metadata that makes sense, but {error}; export the run again") from error
    if (facts.stems, facts.sample_rate, facts.channels) != (STEMS, SAMPLE_RATE, CHANNELS):
        raise DemixError(
            f"{where}: expected {', '.join(STEMS)} at {SAMPLE_RATE} Hz in {CHANNELS} channels, received "
            f"{', '.join(facts.stems)} at {facts.sample_rate} Hz in {facts.channels}; use the demix that wrote it"
        )
    return facts
