"""What both nets share: from a mixture spectrum to features, and from features to mask logits at full resolution.

The U-Net and the ViT differ only in the trunk between `Features` and `Head`, so that the comparison is one of trunks.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

HIGHEST_BINS = 32  # above the trunk's bandwidth the mask is held at its mean over these highest bins


class Features(nn.Module):
    """Log magnitude, and on request phase, of the lowest bins of a spectrum.

    The magnitude of every channel and of the mid and side signals, `log(|X| + floor)`, passes a learned gain and
    offset per bin (as Open-Unmix's input scaling, Stoeter et al. 2019): music falls off by some 60 dB from 100 Hz
    to 10 kHz.

    Args:
        channels: audio channels.
        num_bins: how many bins, from 0 Hz up, the trunk sees.
        phase: add the complex spectrum, compressed to the power 0.3, as two maps per channel.
    """

    def __init__(self, *, channels: int, num_bins: int, phase: bool) -> None:
        super().__init__()
        self.channels, self.num_bins, self.phase = channels, num_bins, phase
        self.pairs = channels == 2
        self.count = channels * (2 if self.pairs else 1) + (2 * channels if phase else 0)
        self.gain = nn.Parameter(torch.full((num_bins, 1), 0.5))
        self.offset = nn.Parameter(torch.zeros(num_bins, 1))

    def forward(
        self, spectrum: Float[Tensor, "batch channels bins frames 2"]
    ) -> Float[Tensor, "batch maps num_bins frames"]:
        """Return the feature maps."""
        low = spectrum[:, :, : self.num_bins]
        signals = low
        if self.pairs:
            left, right = low[:, :1], low[:, 1:]
            signals = torch.cat([low, (left + right) / 2, (left - right) / 2], dim=1)
        # The floor inside the root keeps its gradient finite on digital silence.
        power = signals.square().sum(-1)
        logarithm = 0.5 * torch.log(power + 1e-4)
        maps = logarithm * self.gain + self.offset
        if self.phase:
            compressed = low * (low.square().sum(-1, keepdim=True) + 1e-8) ** -0.35
            maps = torch.cat([maps, *compressed.unbind(-1)], dim=1)
        return maps


class Head(nn.Module):
    """Mask logits from the trunk's maps and the input features, both at full resolution.

    The features come in once more because a net that sees the mixture only through a coarse trunk blurs its masks.

    Args:
        maps: maps that the trunk gives.
        features: maps that `Features` gives.
        width: hidden maps.
        stems: number of stems.
        channels: audio channels.
        bins: bins of the whole spectrum; those above the trunk's bandwidth get the mean of the highest bins in it.
    """

    def __init__(self, *, maps: int, features: int, width: int, stems: int, channels: int, bins: int) -> None:
        super().__init__()
        self.stems, self.channels, self.bins = stems, channels, bins
        self.mix = nn.Conv2d(maps + features, width, 3, padding=1)
        self.logits = nn.Conv2d(width, stems * channels, 1)

    def forward(
        self,
        maps: Float[Tensor, "batch maps num_bins frames"],
        features: Float[Tensor, "batch features num_bins frames"],
    ) -> Float[Tensor, "batch stems channels bins frames"]:
        """Return mask logits."""
        hidden = functional.gelu(self.mix(torch.cat([maps, features], dim=1)))
        logits = self.logits(hidden).unflatten(1, (self.stems, self.channels))
        missing = self.bins - logits.shape[-2]
        if missing > 0:
            highest = logits[..., -HIGHEST_BINS:, :].mean(-2, keepdim=True)
            logits = torch.cat([logits, highest.expand(*logits.shape[:-2], missing, logits.shape[-1])], dim=-2)
        return logits


def check_sizes(*, bins: int, num_bins: int, positive: Sequence[int]) -> None:
    """Raise ValueError unless every size is a whole number from 1 on and the trunk's bins are among the spectrum's."""
    if not all(isinstance(size, int) and size > 0 for size in positive):
        raise ValueError(f"expected whole numbers from 1 on as sizes, received {list(positive)}")
    if not isinstance(num_bins, int) or not 1 <= num_bins <= bins:
        raise ValueError(f"num_bins: expected 1 to {bins}, received {num_bins}")


def pad_to_multiple(
    maps: Float[Tensor, "batch maps height width"], height: int, width: int
) -> Float[Tensor, "batch maps padded_height padded_width"]:
    """Add zeros below and to the right until both sizes are multiples of `height` and `width`."""
    below, right = -maps.shape[-2] % height, -maps.shape[-1] % width
    return functional.pad(maps, (0, right, 0, below)) if below or right else maps
