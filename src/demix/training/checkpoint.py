"""Checkpoints: one safetensors file that holds all a run needs to go on, replaced in one step.

Tensors are named `model.*`, `ema.*` and `optimiser.<parameter>.<state>`; numbers (step, best score, seconds
trained) are the file's metadata. Batches and learning rate depend on the step alone, so there is no random state
to keep.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from demix.errors import DemixError
from demix.files import atomic

LAST_FILE = "last.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Args:
        step: batches trained.
        seconds: time spent training them, without validation.
        best_sdr: best validation SDR in dB, None before the first validation.
    """

    step: int = 0
    seconds: float = 0.0
    best_sdr: float | None = None


def save_checkpoint(
    path: Path, *, net: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write a checkpoint.

    Raises:
        DemixError: when it cannot be written; the one before it stays.
    """
    tensors = {
        **{f"model.{key}": value for key, value in net.state_dict().items()},
        **{f"ema.{key}": value for key, value in ema.state_dict().items()},
    }
    for index, state in optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser.{index}.{key}": value for key, value in state.items()})
    _write(path, tensors, progress)


def save_weights(path: Path, *, net: nn.Module, progress: Progress) -> None:
    """Write a net's weights alone, for use."""
    _write(path, dict(net.state_dict()), progress)


def load_checkpoint(path: Path, *, net: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back into net, average and optimiser.

    Raises:
        DemixError: when the file is damaged or belongs to another net.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        progress = Progress(**json.loads(metadata["progress"]))
        net.load_state_dict(_under("model", tensors))
        ema.load_state_dict(_under("ema", tensors))
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("optimiser", tensors).items():
            index, _, name = key.partition(".")
            states.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
    except (SafetensorError, OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DemixError(
            f"{path}: expected a checkpoint of this run, but {reason}; delete it to start the run anew"
        ) from error
    return progress


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _write(path: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    metadata = {"progress": json.dumps(asdict(progress)), "step": str(progress.step)}
    with atomic(path) as file:
        file.write(save(whole, metadata))
