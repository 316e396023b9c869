"""What a net costs: floating-point operations."""

from typing import TYPE_CHECKING

from demix import config

if TYPE_CHECKING:
    from torch import nn


def count_flops(net: "nn.Module", settings: config.Config) -> float:
    """Return the operations of one forward pass per second of stereo music, a multiply-add counted as two.

    One segment goes through `torch.utils.flop_counter`, which knows convolutions and matrix products; the rest is
    small beside them. Attention is computed as plain matrix products meanwhile: the counter does not see the fused
    kernels of a CPU.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    seconds = settings.data.segment_seconds
    frames = 1 + round(seconds * config.SAMPLE_RATE) // settings.spectral.hop_length
    bins = settings.spectral.n_fft // 2 + 1
    device = next(net.parameters()).device
    spectrum = torch.zeros(1, config.CHANNELS, bins, frames, 2, device=device)
    training = net.training
    net.eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(spectrum)
    net.train(training)
    return counter.get_total_flops() / seconds
