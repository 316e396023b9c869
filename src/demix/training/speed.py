"""What makes a step fast, each behind a small name; `demix.config.Speed` says what they are for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Let matrix products and convolutions inside run in half precision, where the precision is one."""
    if precision not in _HALF:
        return nullcontext()
    return torch.autocast(device.type, dtype=_HALF[precision])


def set_matrix_precision(precision: str) -> None:
    """Let float32 matrix products on a GPU round to TF32, unless all 24 bits are asked for; for the whole process."""
    rounded = precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = rounded
    torch.backends.cudnn.allow_tf32 = rounded


def keep_features_exact(net: nn.Module, device: torch.device) -> None:
    """Leave the input features out of half precision: the power of a spectrum exceeds its range."""
    features: Any = net.features
    features.forward = torch.autocast(device.type, enabled=False)(features.forward)


def attention(fused: bool) -> AbstractContextManager[Any]:
    """Let PyTorch choose how it computes attention, or force plain matrix products."""
    return nullcontext() if fused else sdpa_kernel(SDPBackend.MATH)


def put_channels_last(net: nn.Module) -> None:
    """Keep the weights of convolutions, and with them the maps between, with their channels side by side."""
    convert: Any = net.to
    convert(memory_format=torch.channels_last)


def checkpoint_blocks(net: nn.Module) -> None:
    """Let every block in the lists that the net names compute its activations again instead of keeping them.

    Chen et al. 2016, *Training Deep Nets with Sublinear Memory Cost*.
    """
    names: Any = net.CHECKPOINTED
    for name in names:
        blocks: Any = getattr(net, name)
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def compiled(net: nn.Module) -> nn.Module:
    """Let `torch.compile` fuse what it can; the first steps then take a minute or more."""
    wrap: Callable[..., Any] = torch.compile
    module: nn.Module = wrap(net, dynamic=False)
    return module
