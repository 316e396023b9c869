"""What both nets share: from a mixture spectrum to features, and from features to mask logits for every bin.

The U-Net and the ViT differ only in the trunk between `Features` and `Head`, so that the comparison is one of trunks.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from demix.models.bands import band_edges

CONTRAST_FRAMES = 17  # 0.4 s and 17 bands: how far around a point its level is compared
CONTRAST_BANDS = 17
COMPRESSIONS = ("log", "power")
EXPONENT = 0.3  # of magnitudes, for `power`
FLOOR = 1e-4  # of powers, so that digital silence has a gradient


class Features(nn.Module):
    """Compressed magnitudes of a spectrum in bands, what stands out in time and in frequency, and on request phase.

    The magnitude of every channel and of the mid and side signals, the root of the mean power in each band, passes
    `log` or a `power` and a learned gain and offset per band (as Open-Unmix's input scaling, Stoeter et al. 2019):
    music falls off by some 60 dB from 100 Hz to 10 kHz. Two more maps say how far the channels' mean lies above its
    surroundings in time, where percussive sounds stand out, and in frequency, where harmonic sounds do: the cue of
    harmonic-percussive separation (Fitzgerald 2010), with means for medians.

    Args:
        channels: audio channels.
        bins: bins of the whole spectrum.
        bands: rows of the maps; see `demix.models.bands`.
        phase: add the complex spectrum, compressed to the power 0.3, as two maps per channel.
        compression: of magnitudes: `log`, or `power`, `(|X|^0.3 - 1) / 0.3`: the logarithm near 1, flatter far
            below, so that what is next to silent counts for less.
    """

    pool: Tensor

    def __init__(self, *, channels: int, bins: int, bands: int, phase: bool, compression: str = "log") -> None:
        super().__init__()
        if compression not in COMPRESSIONS:
            raise ValueError(f"compression: expected one of {', '.join(COMPRESSIONS)}, received {compression!r}")
        self.compression = compression
        self.channels, self.bins, self.bands, self.phase = channels, bins, bands, phase
        self.pairs = channels == 2
        self.count = channels * (2 if self.pairs else 1) + 2 + (2 * channels if phase else 0)
        edges = band_edges(bands, bins)
        pool = torch.zeros(bands, bins)
        for band, (low, high) in enumerate(pairwise(edges)):
            pool[band, low:high] = 1 / (high - low)
        self.register_buffer("pool", pool, persistent=False)
        self.gain = nn.Parameter(torch.full((bands, 1), 0.5))
        self.offset = nn.Parameter(torch.zeros(bands, 1))

    def forward(
        self, spectrum: Float[Tensor, "batch channels bins frames 2"]
    ) -> Float[Tensor, "batch maps bands frames"]:
        """Return the feature maps."""
        powers = [_power(spectrum)]
        if self.pairs:
            left, right = spectrum[:, :1], spectrum[:, 1:]
            powers += [_power((left + right) / 2), _power((left - right) / 2)]
        power = self.pool @ torch.cat(powers, dim=1)
        power = power + FLOOR
        level = 0.5 * torch.log(power) if self.compression == "log" else (power ** (EXPONENT / 2) - 1) / EXPONENT
        mean = level[:, : self.channels].mean(1, keepdim=True)
        maps = [level * self.gain + self.offset, *(mean - around for around in _surroundings(mean))]
        if self.phase:
            compressed = spectrum * (spectrum.square().sum(-1, keepdim=True) + 1e-8) ** -0.35
            maps += [self.pool @ part for part in compressed.unbind(-1)]
        return torch.cat(maps, dim=1)


class Head(nn.Module):
    """Mask logits for every band from the trunk's maps and the input features.

    The features come in once more because a net that sees the mixture only through a coarse trunk blurs its masks.

    Args:
        maps: maps that the trunk gives.
        features: the features, whose bands, bins and channels the logits are for.
        width: hidden maps.
        stems: number of stems.
    """

    band: Tensor

    def __init__(self, *, maps: int, features: Features, width: int, stems: int) -> None:
        super().__init__()
        self.stems, self.channels = stems, features.channels
        bands, bins = features.bands, features.bins
        widths = torch.tensor(band_edges(bands, bins)).diff()
        self.register_buffer("band", torch.arange(bands).repeat_interleave(widths, output_size=bins), persistent=False)
        self.mix = nn.Conv2d(maps + features.count, width, 3, padding=1)
        self.logits = nn.Conv2d(width, stems * features.channels, 1)

    def forward(
        self,
        maps: Float[Tensor, "batch maps bands frames"],
        features: Float[Tensor, "batch features bands frames"],
        *,
        by_band: bool,
    ) -> Float[Tensor, "batch stems channels rows frames"]:
        """Return mask logits: one row for each bin, or `by_band` one for each band."""
        hidden = functional.gelu(self.mix(torch.cat([maps, features], dim=1)))
        logits = self.logits(hidden).unflatten(1, (self.stems, self.channels))
        return logits if by_band else spread(logits, self.band)


def _power(
    spectrum: Float[Tensor, "batch channels bins frames 2"],
) -> Float[Tensor, "batch channels bins frames"]:
    """Return squared magnitudes; the sum written out, as one over an axis of two takes a CPU ten times as long."""
    return spectrum[..., 0].square() + spectrum[..., 1].square()


def spread(
    values: Float[Tensor, "*lead bands frames"], band: Int[Tensor, " bins"]
) -> Float[Tensor, "*lead bins frames"]:
    """Give all bins of a band its value; `band` tells the band of every bin."""
    return values.index_select(-2, band)


def _surroundings(
    maps: Float[Tensor, "batch maps bands frames"],
) -> tuple[Float[Tensor, "batch maps bands frames"], Float[Tensor, "batch maps bands frames"]]:
    """Return the means along time and along frequency around every point; beyond the edges nothing is counted."""
    in_time, in_frequency = (
        functional.avg_pool2d(maps, size, stride=1, padding=(size[0] // 2, size[1] // 2), count_include_pad=False)
        for size in ((1, CONTRAST_FRAMES), (CONTRAST_BANDS, 1))
    )
    return in_time, in_frequency


def check_sizes(*, bins: int, bands: int, positive: Sequence[int]) -> None:
    """Raise ValueError unless every size is a whole number from 1 on and there are at most as many bands as bins."""
    if not all(isinstance(size, int) and size > 0 for size in positive):
        raise ValueError(f"expected whole numbers from 1 on as sizes, received {list(positive)}")
    if not isinstance(bands, int) or not 1 <= bands <= bins:
        raise ValueError(f"bands: expected 1 to {bins}, received {bands}")


def pad_to_multiple(
    maps: Float[Tensor, "batch maps height width"], height: int, width: int
) -> Float[Tensor, "batch maps padded_height padded_width"]:
    """Add zeros below and to the right until both sizes are multiples of `height` and `width`."""
    below, right = -maps.shape[-2] % height, -maps.shape[-1] % width
    return functional.pad(maps, (0, right, 0, below)) if below or right else maps
