"""The nets that a server offers: those on board, or those that its settings name."""

from functools import lru_cache
from pathlib import Path

from demix.errors import DemixError
from demix.onnx_model import Facts, open_onnx
from demix.pretrained import model_paths

DEFAULT = "unet"


def offered_nets(named: tuple[str, ...]) -> dict[str, str]:
    """Return what `demix.load` is to load by the net's name.

    Args:
        named: names of nets on board and `.onnx` files; all on board if empty.
    """
    return {Path(each).name.removesuffix(".onnx"): each for each in named or model_paths()}


def default_net(offered: tuple[str, ...]) -> str:
    """Return the net that a client gets who names none."""
    return DEFAULT if DEFAULT in offered else offered[0]


@lru_cache
def facts_of(source: str) -> Facts:
    """Return what a net says about itself.

    Raises:
        DemixError: for what is no net on board and no `.onnx` file of demix.
    """
    path = model_paths().get(source, Path(source))
    if path.is_dir():
        raise DemixError(f"DEMIX_MODELS: expected nets on board or .onnx files, received {source}; see demix export")
    return open_onnx(path, device="cpu").facts
