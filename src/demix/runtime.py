"""A trained net as a callable on spectra, and the device that it runs on."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demix import config
from demix.errors import DemixError

if TYPE_CHECKING:
    import torch
    from torch import nn

RUN_FILE = "run.json"
BEST_FILE = "best.safetensors"
HISTORY_FILE = "history.csv"


@dataclass(frozen=True)
class Run:
    """A trained net read back from its run folder.

    Args:
        name: the folder's name.
        folder: the run folder.
        config: the settings it was trained with.
        record: all of `run.json`.
        net: the best weights by validation SDR, in evaluation mode.
        step: the step of these weights.
    """

    name: str
    folder: Path
    config: config.Config
    record: dict[str, Any]
    net: "nn.Module"
    step: int


@dataclass(frozen=True)
class TorchMasker:
    """A PyTorch net as a function from spectra to masks, both NumPy arrays."""

    net: "nn.Module"
    mask: str
    device: "torch.device"

    def __call__(self, spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return masks `(batch, stems, channels, bins, frames)` for a spectrum `(batch, channels, bins, frames)`."""
        import torch

        from demix.models import apply_mask_function

        with torch.inference_mode():
            mixture = torch.view_as_real(torch.from_numpy(spectrum)).to(self.device)
            masks: npt.NDArray[np.float32] = apply_mask_function(self.net(mixture), self.mask).cpu().numpy()
        return masks


def pick_device(name: str = "auto") -> "torch.device":
    """Return the device of that name; `auto` is CUDA, then MPS, then the CPU.

    Raises:
        DemixError: for a device that this machine does not have.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(key for key in ("cuda", "mps", "cpu") if available[key]))
    if not available.get(name, False):
        present = ", ".join(key for key, there in available.items() if there)
        raise DemixError(f"device: expected one that is here ({present}), received {name!r}; use auto or cpu")
    return torch.device(name)


def require_torch(what: str) -> None:
    """Raise `DemixError` with the remedy where what `what` needs beyond the plain installation is missing."""
    missing = [name for name in ("torch", "safetensors", "jaxtyping") if find_spec(name) is None]
    if missing:
        raise DemixError(
            f"{what}: expected {', '.join(missing)} to be installed, found nothing of that name; "
            "pip install 'demix-lab[compare]'"
        )


def read_run_record(folder: Path) -> dict[str, Any]:
    """Read `run.json` of a run folder.

    Raises:
        DemixError: when the folder is not a run folder.
    """
    path = folder / RUN_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DemixError(
            f"{folder}: expected a run folder, but it has no {RUN_FILE}; name a folder that `demix train` made"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DemixError(f"{path}: expected JSON, but {error}; train the run again") from error
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise DemixError(f"{path}: expected a run's settings under 'config', found none; train the run again")
    return record


def load_run(folder: Path, *, device: str = "auto") -> Run:
    """Rebuild a trained net from its run folder.

    Raises:
        DemixError: when the folder is not a run folder, has no weights yet, or its weights do not fit its settings;
            where PyTorch is not installed.
    """
    record = read_run_record(folder)
    require_torch(f"run folder {folder}")
    from safetensors import SafetensorError, safe_open

    from demix.models import build_net

    settings = config.from_dict(record["config"], where=str(folder / RUN_FILE))
    net = build_net(settings)
    path = folder / BEST_FILE
    if not path.is_file():
        raise DemixError(f"{folder}: has no {BEST_FILE} yet; let `demix train --resume` reach its first validation")
    try:
        with safe_open(path, framework="pt") as file:
            step = int((file.metadata() or {}).get("step", 0))
            net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DemixError(f"{path}: expected the weights of this run's net, but {reason}; train it again") from error
    net.to(pick_device(device)).eval()
    return Run(folder.resolve().name, folder, settings, record, net, step)
