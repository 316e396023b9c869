"""Models on board: the nets that ship with demix, as ONNX files with a model card each. And any other, by its path."""

from pathlib import Path
from typing import TYPE_CHECKING

from demix import runtime
from demix.config import Config
from demix.errors import DemixError
from demix.onnx_model import Facts, OnnxMasker, open_onnx
from demix.separator import Separator
from demix.spectral import STFT

if TYPE_CHECKING:
    import torch
    from torch import nn

FOLDER = Path(__file__).parent / "pretrained_models"


def model_paths() -> dict[str, Path]:
    """Return the ONNX files on board by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}


def list_models() -> dict[str, Facts]:
    """Return what the models on board say about themselves, by name."""
    return {name: open_onnx(path, device="cpu").facts for name, path in model_paths().items()}


def load(name_or_path: str | Path = "unet", *, device: str = "auto", threads: int | None = None) -> Separator:
    """Load a trained net, ready to cut songs into stems.

    Args:
        name_or_path: a model on board (`list_models()`), an `.onnx` file that `demix export` wrote, or a run folder,
            which needs PyTorch.
        device: `auto`, `cpu`, `cuda` or another that is there (`demix.onnx_model.available_devices()`).
        threads: cores that one forward pass of an ONNX file uses; None is all.

    Returns:
        A separator whose chunks are as long as the net's training segments. `dataclasses.replace(separator,
        overlap=0.5)` makes one with other chunks or overlap.

    Raises:
        DemixError: for a name that is none of these, a file that is no demix model, or a device that is not there.

    Example:
        >>> separator = load("unet")
        >>> stems = separator.separate(waveform)          # {"vocals": (channels, samples), ...}
    """
    on_board = model_paths()
    path = on_board.get(str(name_or_path), Path(name_or_path))
    if path.is_dir():
        run = runtime.load_run(path, device=device)
        return make_separator(run.net, run.config, device=runtime.pick_device(device))
    if not path.is_file():
        raise DemixError(
            f"{name_or_path}: expected a model on board ({', '.join(on_board) or 'none is'}), an .onnx file or a run "
            "folder, found none of them; see `demix models`"
        )
    return _from_onnx(open_onnx(path, device=device, threads=threads))


def make_separator(net: "nn.Module", settings: Config, *, device: "torch.device") -> Separator:
    """Return a separator around a PyTorch net on `device`, with chunks as long as its training segments."""
    return Separator(
        masker=runtime.TorchMasker(net.eval(), settings.model.mask, device),
        stft=STFT(settings.spectral.n_fft, settings.spectral.hop_length),
        chunk_seconds=settings.data.segment_seconds,
    )


def _from_onnx(masker: OnnxMasker) -> Separator:
    facts = masker.facts
    return Separator(
        masker=masker,
        stft=STFT(facts.n_fft, facts.hop_length),
        chunk_seconds=facts.segment_seconds,
        channels=facts.channels,
    )
