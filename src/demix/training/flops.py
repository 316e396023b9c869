"""What a training step costs in floating-point operations: counted from shapes, without computing anything."""

from functools import partial
from typing import cast

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from demix import config
from demix.data.segments import segment_samples
from demix.models import build_net
from demix.models.masknet import Features
from demix.training import speed


def count_step_flops(settings: config.Config, *, recomputed: bool = False) -> float:
    """Return the operations of the net in one step of the whole batch, a multiply-add counted as two.

    They are those of the convolutions and matrix products, forward and backward, attention as plain matrix products,
    which is what `torch.utils.flop_counter` knows. Everything elementwise, the transforms, the loss and the optimiser
    are left out: few operations, though not always little time. Divided by the seconds of a step and by what the device
    can do, this is the share that is put to use (*model FLOPs utilisation*, Chowdhery et al. 2022, *PaLM*). One segment
    goes through the net on the `meta` device, where tensors have shapes and no numbers; segments do not depend on each
    other, so the batch costs that many times as much.

    Args:
        settings: net, length of a segment, batch size; the precision makes no difference.
        recomputed: also count what `speed.checkpoint_activations` computes again. The device does it, but it is no
            progress, and so it does not count as use.

    Raises:
        DemixError: for a net that cannot be built.
    """
    net = build_net(settings).to("meta").train()
    if recomputed and settings.speed.checkpoint_activations:
        speed.checkpoint_blocks(net)
    bins = cast(Features, net.features).bins
    frames = 1 + segment_samples(settings.data) // settings.spectral.hop_length
    spectrum = torch.empty(1, config.CHANNELS, bins, frames, 2, device="meta")
    # What is computed again is computed in the backward pass, by the same kind of attention only inside the context.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = partial(net, by_band=True)(spectrum)
        torch.autograd.backward(logits.sum())
    return float(counter.get_total_flops()) * settings.data.batch_size
