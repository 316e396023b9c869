"""Train the tiny U-Net with one choice changed at a time, and score every variant on songs it was not trained on.

    python benchmarks/unet_choices.py [--steps 250] [--seeds 0 1] [--data FOLDER] [--only NAME ...]

Trains on the `train` songs that ship with the project and scores the validation song, and up to 20 s of every song in
FOLDER where one is given. Prints one row per variant and seed: mean `sdr` over equal masks in dB, for both.
"""

import argparse
import copy
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from demix.config import SAMPLE_RATE, STEMS, load_config
from demix.data import open_dataset
from demix.data.library import open_prepared
from demix.data.track import Audio
from demix.evaluation.baselines import share_equally
from demix.metrics import mean_of_defined, sdr
from demix.models import build_net, count_parameters
from demix.models.unet import UNet, Up
from demix.pretrained import make_separator
from demix.training.allocator import keep_freed_memory
from demix.training.engine import average_decay, update_average
from demix.training.feed import batches
from demix.training.plain import plain_step

Songs = dict[str, tuple[Audio, Audio]]  # stems and mixture by name
EXCERPT_SECONDS = 20
QUIET = 1e-3  # a stem whose peak stays below this is not scored


class ResizeUp(nn.Module):
    """The alternative to sub-pixel convolution: double by repeating, then a convolution (Odena et al. 2016)."""

    def __init__(self, up: Up) -> None:
        super().__init__()
        self.norm = up.norm
        self.conv = nn.Conv2d(up.conv.in_channels, up.conv.out_channels // 4, 5, padding=2, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the maps at twice the size."""
        return nn.functional.gelu(self.norm(self.conv(nn.functional.interpolate(maps, scale_factor=2.0))))


class PointNorm(nn.Module):
    """Normalise over the maps at every band and frame, as the ViT does at every token: nothing leaks along time."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the normalised maps."""
        variance, mean = torch.var_mean(maps, dim=1, keepdim=True, correction=0)
        return (maps - mean) * torch.rsqrt(variance + 1e-5) * self.weight + self.bias


def normalise(make: Callable[[int], nn.Module]) -> Callable[[nn.Module], None]:
    """Return a change that replaces every normalisation of a U-Net by `make(maps)`."""

    def change(net: nn.Module) -> None:
        assert isinstance(net, UNet)  # noqa: S101
        for module in (*net.encoder, *net.decoder):
            module.norm = make(module.conv.out_channels // (4 if isinstance(module, Up) else 1))

    return change


def resize(net: nn.Module) -> None:
    """Replace sub-pixel convolution by resizing and a convolution."""
    assert isinstance(net, UNet)  # noqa: S101
    net.decoder = nn.ModuleList(ResizeUp(up) for up in net.decoder if isinstance(up, Up))


# name -> settings, change of the net
VARIANTS: dict[str, tuple[list[str], Callable[[nn.Module], None] | None]] = {
    "as shipped": ([], None),
    "batch normalisation": ([], normalise(nn.BatchNorm2d)),
    "layer normalisation at every point": ([], normalise(PointNorm)),
    "resize + convolution": ([], resize),
    "wide at the top": (["model.options.widths=[32, 44, 52, 56, 72]"], None),
    "wide at the bottom": (["model.options.widths=[8, 16, 40, 72, 132]"], None),
}


def open_songs(folder: Path | None) -> Songs:
    """Read the validation song, and the starts of the songs in `folder`."""
    songs = {track.name: track.load() for track in open_dataset("free") if track.split == "valid"}
    samples = EXCERPT_SECONDS * SAMPLE_RATE
    for track in open_dataset(str(folder)) if folder else ():
        stems, mixture = track.load()
        songs[track.name] = (stems[..., :samples], mixture[..., :samples])
    return songs


def train(settings: list[str], change: Callable[[nn.Module], None] | None) -> tuple[nn.Module, int]:
    """Train one variant; return its averaged weights and the number of its parameters."""
    config = load_config(None, settings)
    options = config.training
    torch.manual_seed(options.seed)
    net = build_net(config)
    if change:
        change(net)
    average = copy.deepcopy(net)
    tracks = [track for track in open_prepared("free") if track.split == "train"]
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=options.weight_decay)
    for step, stems in enumerate(batches(tracks, config, device=torch.device("cpu"), start=0)):
        plain_step(net, optimiser, stems, settings=config, step=step)
        update_average(average, net, decay=average_decay(options, step))
    return average.eval(), count_parameters(net)


def score(net: nn.Module, songs: Songs) -> dict[str, float]:
    """Return for each song the mean gain in `sdr` over equal masks, in dB."""
    separator = make_separator(net, load_config(), device=torch.device("cpu"))
    gains = {}
    for name, (stems, mixture) in songs.items():
        estimates = separator.separate(mixture)
        gain = sdr(stems, np.stack([estimates[stem] for stem in STEMS])) - sdr(stems, share_equally(mixture))
        gain[np.abs(stems).max(axis=(1, 2)) < QUIET] = np.nan
        gains[name] = float(mean_of_defined(gain))
    return gains


def main() -> None:
    """Train and score every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    keep_freed_memory()
    songs = open_songs(options.data)
    print("| variant | parameters | seed | validation song | other songs |\n|---|---|---|---|---|", flush=True)
    for name in options.only:
        settings, change = VARIANTS[name]
        for seed in options.seeds:
            net, parameters = train([*settings, f"training.steps={options.steps}", f"training.seed={seed}"], change)
            first, *others = score(net, songs).values()
            mean = f"{statistics.mean(others):+.2f}" if others else "-"
            print(f"| {name} | {parameters:,} | {seed} | {first:+.2f} | {mean} |", flush=True)


if __name__ == "__main__":
    main()
