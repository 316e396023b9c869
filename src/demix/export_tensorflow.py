"""From a run folder to TensorFlow: a SavedModel and a TensorFlow Lite file, checked against the net on real music.

    saved_model/     for TensorFlow: signature `serving_default`, input `spectrum`, output `masks`
    model.tflite     the same for LiteRT, on phones and small computers
    metadata.json    what a program needs beside: stems, sample_rate, n_fft, hop_length, ...

`spectrum` is float32 `(batch, channels, bins, frames, 2)`, real and imaginary part last; `masks` are float32
`(batch, stems, channels, bins, frames)`, between 0 and 1; any batch, any frames. Files whose masks differ from the
net's by more than `demix.export_check.TOLERANCE` are not written.
"""

import json
import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demix import __version__
from demix.config import CHANNELS, SAMPLE_RATE, STEMS
from demix.errors import DemixError
from demix.export_check import check_difference, load_checked_music
from demix.files import writing
from demix.onnx_model import to_parts
from demix.runtime import Run, TorchMasker, load_run
from demix.separator import Masker
from demix.spectral import STFT

SAVED_MODEL, LITE_FILE, METADATA_FILE = "saved_model", "model.tflite", "metadata.json"


def export_tensorflow(folder: Path, out: Path) -> float:
    """Write a trained net as a folder of a TensorFlow SavedModel, a `.tflite` file and their metadata.

    Args:
        folder: the run folder.
        out: the folder to make; it appears once all of it is there and checked.

    Returns:
        The largest difference of a mask from the net's, on an embedded song.

    Raises:
        DemixError: when the folder is no run, `out` is there already or cannot be written, TensorFlow or the songs are
            missing, or the masks differ.
    """
    _require_tensorflow()
    if out.exists():
        raise DemixError(f"{out}: expected a new folder, but it is there already; delete it or choose another name")
    run = load_run(folder, device="cpu")
    scratch = out.with_name(f".{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    with writing(out):
        try:
            scratch.mkdir(parents=True)
            _write_models(run, scratch)
            _write_metadata(run, scratch / METADATA_FILE)
            maskers = {SAVED_MODEL: open_saved_model(scratch / SAVED_MODEL), LITE_FILE: open_lite(scratch / LITE_FILE)}
            differences = _compare(maskers, run)
            for name, difference in differences.items():
                check_difference(out / name, difference)
            scratch.replace(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return max(differences.values())


def open_saved_model(path: Path) -> Masker:
    """Return a SavedModel as a function from spectra to masks, both NumPy arrays, on the CPU."""
    import tensorflow as tf

    # The function does not keep the model alive by itself.
    model = tf.saved_model.load(str(path))

    def masker(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        with tf.device("/CPU:0"):
            return model.signatures["serving_default"](spectrum=tf.constant(to_parts(spectrum)))["masks"].numpy()

    return masker


def open_lite(path: Path) -> Masker:
    """Return a `.tflite` file as a function from spectra to masks, both NumPy arrays."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner("serving_default")

    def masker(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        return runner(spectrum=to_parts(spectrum))["masks"]

    return masker


def _require_tensorflow() -> None:
    missing = [name for name in ("tensorflow", "ai_edge_litert") if find_spec(name) is None]
    if missing:
        raise DemixError(
            f"export to TensorFlow: needs {' and '.join(missing)}, which is not here; "
            "pip install 'demix-lab[tensorflow]', best in an environment of its own"
        )
    # Read once, when TensorFlow starts: errors, and not how it was built.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _write_models(run: Run, folder: Path) -> None:
    """Write the net with its mask function in both forms, the second made from the first."""
    import tensorflow as tf

    from demix.tensorflow_nets import compute_masks

    tf.get_logger().setLevel("ERROR")
    stft = STFT(run.config.spectral.n_fft, run.config.spectral.hop_length)
    spectrum = tf.TensorSpec((None, CHANNELS, stft.bins, None, 2), tf.float32, name="spectrum")

    def masks(spectrum: Any) -> dict[str, Any]:
        return {"masks": compute_masks(run.net, spectrum, run.config.model.mask)}

    module = tf.Module()
    # Without autograph: it would rewrite the branches, which are all settled here.
    module.masks = tf.function(masks, input_signature=[spectrum], autograph=False)
    path = str(folder / SAVED_MODEL)
    try:
        tf.saved_model.save(module, path, signatures={"serving_default": module.masks})
    except tf.errors.OpError as error:  # a full disk, in TensorFlow's words
        raise OSError(error.message) from error
    (folder / LITE_FILE).write_bytes(tf.lite.TFLiteConverter.from_saved_model(path).convert())


def _write_metadata(run: Run, path: Path) -> None:
    """Write what the models say nothing of; the words are those of the ONNX file's metadata."""
    settings = run.config
    facts = {
        "name": run.name,
        "net": settings.model.name,
        "stems": STEMS,
        "sample_rate": SAMPLE_RATE,
        "n_fft": settings.spectral.n_fft,
        "hop_length": settings.spectral.hop_length,
        "channels": CHANNELS,
        "mask": settings.model.mask,
        "segment_seconds": settings.data.segment_seconds,
        "best_step": run.step,
        "demix": __version__,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _compare(maskers: Mapping[str, Masker], run: Run) -> dict[str, float]:
    """Return each masker's largest difference from the net: one segment, and two short pieces at once."""
    import torch

    settings = run.config
    spectrum = STFT(settings.spectral.n_fft, settings.spectral.hop_length).forward(load_checked_music())
    frames = round(settings.data.segment_seconds * SAMPLE_RATE / settings.spectral.hop_length)
    middle = spectrum.shape[-1] // 2
    segment = spectrum[None, ..., middle : middle + frames]
    # An odd number of frames is no multiple of a patch or stride: the padding is compared as well.
    pieces = np.stack([spectrum[..., :37], spectrum[..., middle : middle + 37]])
    reference = TorchMasker(run.net, settings.model.mask, torch.device("cpu"))
    expected = [(piece, reference(piece)) for piece in (segment, pieces)]
    # NumPy's max, as Python's may pass over a NaN.
    return {
        name: float(np.max([np.abs(masks - masker(piece)).max() for piece, masks in expected]))
        for name, masker in maskers.items()
    }
