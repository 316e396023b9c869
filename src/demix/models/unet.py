"""A U-Net over the spectrogram: strided convolutions down, sub-pixel convolutions up, a skip at every size.

Ronneberger et al. 2015, *U-Net* (encoder, decoder, skips); Jansson et al. 2017, *Singing Voice Separation with
Deep U-Net Convolutional Networks* (on magnitude spectrograms, stride 2, 5x5 kernels; Spleeter's net); Shi et al.
2016, *Real-Time Single Image ... Sub-Pixel Convolutional Neural Network* (upsampling without the checkerboards of
transposed convolutions).

Two controls ask what the convolutions lack: `bottleneck="dilated"` and `"attention"` let every point of the smallest
maps see far in time, in the manner of Yu and Koltun 2016, *Multi-Scale Context Aggregation by Dilated Convolutions*, or
by a block of the ViT.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from demix.models.attention import Block, rotary_angles
from demix.models.masknet import Features, Head, check_sizes, pad_to_multiple

GROUPS = 4  # of maps, normalised together (Wu and He 2018, *Group Normalization*)
DILATIONS = (1, 2, 4)  # in time, at the smallest size: a reach of 7 points, 5 s with five halvings
BOTTLENECK_HEADS = 4  # of the attention at the smallest size


class UNet(nn.Module):
    """Mask logits for every stem by convolutions at falling and rising resolution.

    Args:
        bins: bins of the whole spectrum.
        stems: number of stems.
        channels: audio channels.
        bands: rows that the bins are pooled to; see `demix.models.bands`.
        phase: give the net the phase beside the magnitude.
        compression: of magnitudes, `log` or `power`; see `demix.models.masknet.Features`.
        widths: maps at each size, from the first halving down to the bottleneck.
        kernel_size: size of the encoder's kernels, in bands and frames; odd.
        head_maps: maps per band and frame that the decoder ends with.
        head_width: hidden maps of the full-resolution head.
        bottleneck: what works on the smallest maps: `plain` (nothing more), `dilated` or `attention`, which needs a
            last width that is a multiple of 16.

    Example:
        >>> net = UNet(bins=2049, stems=4, channels=2)
        >>> logits = net(torch.view_as_real(spectrum))        # (batch, 4, 2, 2049, frames)
    """

    CHECKPOINTED = ("encoder", "decoder")

    def __init__(
        self,
        *,
        bins: int,
        stems: int,
        channels: int,
        bands: int = 384,
        phase: bool = False,
        compression: str = "log",
        widths: tuple[int, ...] = (32, 64, 128, 256, 512),
        kernel_size: int = 5,
        head_maps: int = 8,
        head_width: int = 16,
        bottleneck: str = "plain",
    ) -> None:
        super().__init__()
        widths = tuple(widths)
        check_sizes(bins=bins, bands=bands, positive=(*widths, len(widths), kernel_size, head_maps, head_width))
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number, received {kernel_size}")
        if bottleneck not in BOTTLENECKS:
            raise ValueError(f"bottleneck: expected one of {', '.join(BOTTLENECKS)}, received {bottleneck!r}")
        self.stride = 2 ** len(widths)
        self.features = Features(channels=channels, bins=bins, bands=bands, phase=phase, compression=compression)
        encoder = (self.features.count, *widths)
        self.encoder = nn.ModuleList(Down(*pair, kernel_size) for pair in pairwise(encoder))
        self.bottleneck = BOTTLENECKS[bottleneck](widths[-1])
        # From the bottom up; every step but the first also gets the encoder's maps of its size.
        decoder = (head_maps, *widths)
        skips = (*widths[:-1], 0)
        self.decoder = nn.ModuleList(
            Up(below + skip, after) for (after, below), skip in reversed([*zip(pairwise(decoder), skips, strict=True)])
        )
        self.head = Head(maps=head_maps, features=self.features, width=head_width, stems=stems)

    def forward(
        self, spectrum: Float[Tensor, "batch channels bins frames 2"], *, by_band: bool = False
    ) -> Float[Tensor, "batch stems channels rows frames"]:
        """Return mask logits for a spectrum of any number of frames: a row for each bin, or `by_band` for each band."""
        features = self.features(spectrum)
        bands, frames = features.shape[-2:]
        maps = pad_to_multiple(features, self.stride, self.stride)
        skips = []
        for down in self.encoder:
            maps = down(maps)
            skips.append(maps)
        maps = self.bottleneck(skips.pop())
        for up in self.decoder:
            maps = up(maps)
            if skips:
                maps = torch.cat([maps, skips.pop()], dim=1)
        return self.head(maps[..., :bands, :frames], features, by_band=by_band)


def group_norm(maps: int) -> nn.GroupNorm:
    """Return the normalisation of `maps` maps: each group of them by its own segment's mean and variance.

    It is the same in training and in use, for any batch. Batch normalisation scores alike where both are trained for
    minutes (`benchmarks/README.md`). The price: every point hears how loud its whole segment is.
    """
    return nn.GroupNorm(math.gcd(GROUPS, maps), maps)


class Down(nn.Module):
    """Halve bands and frames: a strided convolution, normalisation, GELU."""

    def __init__(self, before: int, after: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel_size, stride=2, padding=kernel_size // 2, bias=False)
        self.norm = group_norm(after)

    def forward(
        self, maps: Float[Tensor, "batch maps height width"]
    ) -> Float[Tensor, "batch after half_height half_width"]:
        """Return the maps at the new size."""
        return nn.functional.gelu(self.norm(self.conv(maps)))


class Up(nn.Module):
    """Double bands and frames: a convolution to four times the maps, shuffled into 2x2 pixels, normalisation, GELU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, 4 * after, 3, padding=1, bias=False)
        self.norm = group_norm(after)

    def forward(
        self, maps: Float[Tensor, "batch maps height width"]
    ) -> Float[Tensor, "batch after twice_height twice_width"]:
        """Return the maps at the new size."""
        return nn.functional.gelu(self.norm(nn.functional.pixel_shuffle(self.conv(maps), 2)))


class Dilated(nn.Module):
    """Convolutions ever further apart in time, depthwise and then pointwise, each added to its input."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(maps, maps, 3, padding=(1, dilation), dilation=(1, dilation), groups=maps, bias=False),
                group_norm(maps),
                nn.GELU(),
                nn.Conv2d(maps, maps, 1),
            )
            for dilation in DILATIONS
        )

    def forward(self, maps: Float[Tensor, "batch maps height width"]) -> Float[Tensor, "batch maps height width"]:
        """Return maps of the same size that have seen far."""
        for step in self.steps:
            maps = maps + step(maps)
        return maps


class Attention(nn.Module):
    """One transformer block over all points of the smallest maps."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        if maps % (4 * BOTTLENECK_HEADS):
            raise ValueError(
                f"widths: expected a last one that is a multiple of {4 * BOTTLENECK_HEADS}, received {maps}"
            )
        self.block = Block(maps, BOTTLENECK_HEADS, mlp_ratio=2.0)

    def forward(self, maps: Float[Tensor, "batch maps height width"]) -> Float[Tensor, "batch maps height width"]:
        """Return maps of the same size in which every point has heard every other."""
        height, width = maps.shape[-2:]
        angles = rotary_angles(height, width, self.block.head_dim, maps.device)
        tokens = self.block(maps.flatten(2).transpose(1, 2), angles, None)
        return tokens.transpose(1, 2).unflatten(2, (height, width))


def _nothing(maps: int) -> nn.Module:
    """Leave the smallest maps as they are, whatever their number."""
    return nn.Identity()


BOTTLENECKS: dict[str, Callable[[int], nn.Module]] = {"plain": _nothing, "dilated": Dilated, "attention": Attention}
