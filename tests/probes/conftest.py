"""Nets whose context is known by construction, and real moments to probe them at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.moments import Moments, take_moments
from demix.evaluation.probes.probed import ProbedNet
from demix.models import ViT
from demix.models.bands import band_edges
from demix.spectral import STFT

SONGS = Path(__file__).parents[2] / "songs"
TRANSFORM = STFT()
HOP_SECONDS = TRANSFORM.hop_length / SAMPLE_RATE
BANDS = 24


class Box(nn.Module):
    """Mean of `3 ** layers` frames: kernels of 3 ones, each dilated three times as far as the one before.

    Every frame of the box is reached by exactly one path, so all weigh the same.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv1d(1, 1, 3, dilation=3**layer, padding=3**layer, bias=False) for layer in range(layers))
        )
        for weight in self.parameters():
            nn.init.constant_(weight, 1 / 3)

    def forward(self, levels: Tensor) -> Tensor:
        return self.convolutions(levels.reshape(-1, 1, levels.shape[-1])).reshape(levels.shape)


class Average(nn.Module):
    """Mean of the whole segment."""

    def forward(self, levels: Tensor) -> Tensor:
        return levels.mean(-1, keepdim=True).expand_as(levels)


class KnownNet(nn.Module):
    """Mask logits from log powers of bands through a module that alone decides the context.

    Gains are so small that masks follow the levels nearly in proportion. With three times these, and silence (20 nats
    below music) as fill, the hundredth of the greatest change is reached up to a fifth too early.
    """

    def __init__(self, context: nn.Module) -> None:
        super().__init__()
        self.context = context
        widths = torch.tensor(band_edges(BANDS, TRANSFORM.bins)).diff()
        self.band = torch.arange(BANDS).repeat_interleave(widths)
        self.pool = torch.zeros(BANDS, TRANSFORM.bins)
        self.pool[self.band, torch.arange(TRANSFORM.bins)] = 1 / widths[self.band]
        self.gain = torch.tensor([0.1, -0.1, 0.03, -0.03]).view(1, 4, 1, 1, 1)

    def forward(self, spectrum: Tensor, *, by_band: bool = False) -> Tensor:
        levels = torch.log(self.pool @ spectrum.square().sum(-1) + 1e-4)
        logits = self.gain * self.context(levels)[:, None]
        return logits if by_band else logits.index_select(-2, self.band)


def read(song: str, seconds: float) -> np.ndarray:
    """The first stretch of a song's stems that there are: `(stems, channels, samples)`."""
    files = sorted((SONGS / song).glob("*.ogg"))
    frames = round(seconds * SAMPLE_RATE)
    return np.stack([soundfile.read(path, frames=frames, dtype="float32", always_2d=True)[0].T for path in files])


@pytest.fixture(scope="session")
def moments() -> Callable[..., Moments]:
    """Return a function that cuts real moments out of a song with four stems, with another song as filler."""
    stems = read("lithium", 60)[[3, 1, 0, 2]]
    other = read("sodium", 40).sum(0)

    def cut(reach_seconds: float, *, count: int = 2, seed: int = 0) -> Moments:
        reach = round(reach_seconds / HOP_SECONDS) * TRANSFORM.hop_length
        mixture = stems.sum(0)
        size = {"reach": reach, "count": count, "seed": seed}
        return take_moments(stems, mixture, other, track="lithium", stft=TRANSFORM, **size)

    return cut


@pytest.fixture(scope="session")
def wrap() -> Callable[[nn.Module, Moments], ProbedNet]:
    """Return a function that makes a net ready for moments."""

    def make(net: nn.Module, here: Moments) -> ProbedNet:
        return ProbedNet("net", "net", net.eval(), "softmax", TRANSFORM, torch.device("cpu"), here.reach)

    return make


@pytest.fixture(scope="session")
def known_net() -> Callable[[str], KnownNet]:
    """Return a function from `box-3`, `box-4` ..., `average` and `pointwise` to a net of that context."""

    def make(name: str) -> KnownNet:
        contexts = {"average": Average, "pointwise": nn.Identity}
        return KnownNet(Box(int(name[4:])) if name.startswith("box-") else contexts[name]())

    return make


@pytest.fixture(scope="session")
def small_vit() -> Callable[..., ViT]:
    """Return a function that makes a ViT of random weights, the same each time."""

    def make(**options: object) -> ViT:
        torch.manual_seed(0)
        sizes = {"bands": 32, "patch_size": (8, 8), "embed_dim": 32, "depth": 2, "num_heads": 2}
        net = ViT(bins=TRANSFORM.bins, stems=4, channels=2, **{**sizes, **options})
        for block in net.blocks:  # fresh weights attend almost evenly
            nn.init.normal_(block.qkv.weight, std=0.5)
        return net.eval()

    return make
