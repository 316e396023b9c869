"""The nets: from the spectrum of a mixture to mask logits.

Where do I add a net? One file with the class, one line in `MODELS`, its sizes in `presets.py`, one TOML in
`configs/`. The contract tests run over the registry. A net takes `torch.view_as_real(spectrum)`, `(batch,
channels, bins, frames, 2)`, of any number of frames and returns logits `(batch, stems, channels, bins, frames)`, or
`(batch, stems, channels, bands, frames)` on `by_band=True`, as training asks for them. `CHECKPOINTED` names its lists
of blocks, whose activations training may compute twice instead of keeping them.
"""

from typing import Any

import torch
from torch import Tensor, nn

from demix import config
from demix.errors import DemixError
from demix.models.presets import PRESETS
from demix.models.unet import UNet
from demix.models.vit import ViT

__all__ = ["MODELS", "MODEL_LABELS", "UNet", "ViT", "apply_mask_function", "build_net", "count_parameters"]

MODELS: dict[str, type[nn.Module]] = {"unet": UNet, "vit": ViT}
MODEL_LABELS = {"unet": "U-Net", "vit": "ViT"}


def build_net(settings: config.Config) -> nn.Module:
    """Build the net that the settings describe, with random weights.

    Raises:
        DemixError: for a name, a preset or an option that does not exist, or sizes that do not fit together.
    """
    model = settings.model
    if model.name not in MODELS:
        raise DemixError(f"model.name: expected one of {', '.join(MODELS)}, received {model.name!r}")
    if model.preset not in PRESETS:
        raise DemixError(f"model.preset: expected one of {', '.join(PRESETS)}, received {model.preset!r}")
    options: dict[str, Any] = {
        **PRESETS[model.preset].get(model.name, {}),
        "phase": model.phase,
        **model.options,
    }
    fixed = {
        "bins": settings.spectral.n_fft // 2 + 1,
        "stems": len(config.STEMS),
        "channels": config.CHANNELS,
    }
    try:
        return MODELS[model.name](**fixed, **options)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise DemixError(f"model.options: {model.name} cannot be built with {options}: {error}") from error


def count_parameters(net: nn.Module) -> int:
    """Return the number of trained numbers."""
    return sum(value.numel() for value in net.parameters())


def apply_mask_function(logits: Tensor, mask: str) -> Tensor:
    """Turn logits `(batch, stems, ...)` into masks between 0 and 1: `softmax` over the stems, or `sigmoid`."""
    return logits.softmax(dim=1) if mask == "softmax" else torch.sigmoid(logits)
