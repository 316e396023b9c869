"""Checkpoints: one safetensors file that holds all a run needs to go on, replaced in one step.

Tensors are named `model.*`, `ema.*`, `optimiser.<parameter>.<state>`, `scaler.*` and `random.*`; numbers (step, best
score, seconds trained) are the file's metadata. Batches and learning rate depend on the step alone: it is the position
in the data. The checkpoint before the last one stays beside it, for when the last one turns out to be damaged.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from demix.errors import DemixError
from demix.files import atomic
from demix.training.engine import Engine

LAST_FILE = "last.safetensors"
PREVIOUS_FILE = "previous.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Args:
        step: batches trained.
        seconds: time spent training them, without validation.
        best_sdr: best validation SDR in dB, None before the first validation.
        losses: sum of the losses since the last row of the history.
        count: how many they are.
    """

    step: int = 0
    seconds: float = 0.0
    best_sdr: float | None = None
    losses: float = 0.0
    count: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds."""

    tensors: dict[str, Tensor]
    progress: Progress


def save_checkpoint(folder: Path, *, engine: Engine, progress: Progress) -> None:
    """Write a run's last checkpoint; the one that was the last becomes the one before.

    Raises:
        DemixError: when it cannot be written; the last two stay.
    """
    last = folder / LAST_FILE
    with atomic(last, keep=folder / PREVIOUS_FILE) as file:
        file.write(_pack(_collect(engine), progress))


def save_weights(path: Path, *, net: nn.Module, progress: Progress) -> None:
    """Write a net's weights alone, for use."""
    with atomic(path) as file:
        file.write(_pack(dict(net.state_dict()), progress))


def read_checkpoint(folder: Path, *, warn: Callable[[str], None]) -> Checkpoint | None:
    """Read a run's last checkpoint, or the one before it where the last is damaged; None where a run has none.

    Args:
        folder: the run folder.
        warn: told in a sentence that the last one is damaged.

    Raises:
        DemixError: when there are checkpoints, but none of them whole.
    """
    paths = [path for path in (folder / LAST_FILE, folder / PREVIOUS_FILE) if path.exists()]
    damage: list[str] = []
    for path in paths:
        try:
            found = _read(path)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            damage.append(f"{path}: expected a checkpoint of this run, but {str(error).splitlines()[0]}")
            continue
        if damage:
            warn(f"{damage[0]}; going on with the one before it, of step {found.progress.step}")
            path.replace(folder / LAST_FILE)  # else the next one to be written would keep the damaged one
        return found
    if damage:
        raise DemixError(f"{damage[0]}; delete the run to start it anew")
    return None


def put_back(checkpoint: Checkpoint, engine: Engine) -> None:
    """Put a checkpoint back into a net in training.

    Raises:
        DemixError: when it belongs to another net.
    """
    tensors = checkpoint.tensors
    try:
        engine.net.load_state_dict(_under("model", tensors))
        engine.ema.load_state_dict(_under("ema", tensors))
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("optimiser", tensors).items():
            index, _, name = key.partition(".")
            states.setdefault(int(index), {})[name] = value
        groups = engine.optimiser.state_dict()["param_groups"]
        engine.optimiser.load_state_dict({"state": states, "param_groups": groups})
        _lay_out(engine.optimiser)
        scaler = _under("scaler", tensors)
        if scaler and engine.scaler.is_enabled():
            engine.scaler.load_state_dict(
                engine.scaler.state_dict()
                | {"scale": scaler["scale"].item(), "_growth_tracker": int(scaler["growth_tracker"])}
            )
        random = _under("random", tensors)
        if "cpu" in random:
            torch.set_rng_state(random["cpu"])
        if "device" in random and engine.device.type == "cuda":
            torch.cuda.set_rng_state(random["device"], engine.device)
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DemixError(f"expected a checkpoint of this run, but {reason}; delete the run to start it anew") from error


def _lay_out(optimiser: torch.optim.Optimizer) -> None:
    """Keep the optimiser's state in memory as its weights lie there now, which a fused AdamW takes for granted."""
    for group in optimiser.param_groups:
        for weight in group["params"]:
            for name, value in optimiser.state.get(weight, {}).items():
                if value.shape == weight.shape:
                    optimiser.state[weight][name] = torch.empty_like(weight).copy_(value)


def _collect(engine: Engine) -> dict[str, Tensor]:
    tensors = {
        **{f"model.{key}": value for key, value in engine.net.state_dict().items()},
        **{f"ema.{key}": value for key, value in engine.ema.state_dict().items()},
        "random.cpu": torch.get_rng_state(),
    }
    for index, state in engine.optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser.{index}.{key}": value for key, value in state.items()})
    if engine.scaler.is_enabled():
        state = engine.scaler.state_dict()
        tensors["scaler.scale"] = torch.tensor(state["scale"], dtype=torch.float64)
        tensors["scaler.growth_tracker"] = torch.tensor(state["_growth_tracker"])
    if engine.device.type == "cuda":
        tensors["random.device"] = torch.cuda.get_rng_state(engine.device)
    return tensors


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    return Checkpoint(tensors, Progress(**json.loads(metadata["progress"])))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _pack(tensors: dict[str, Tensor], progress: Progress) -> bytes:
    whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    return save(whole, {"progress": json.dumps(asdict(progress)), "step": str(progress.step)})
