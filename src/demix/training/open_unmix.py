"""A training step of Open-Unmix beside ours: four of its nets, one for each stem, on the same batch.

Stöter et al. 2019, *Open-Unmix - A Reference Implementation for Music Source Separation*. The net is the one of the
package `openunmix` with the sizes of its training script (hidden size 512, up to 16 kHz), so are the loss, the mean
square error of magnitudes, and Adam's settings. It is here to be timed only.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor, nn

from demix import config
from demix.errors import DemixError
from demix.models.stft import stft

BANDWIDTH_HZ = 16_000
HIDDEN_SIZE = 512
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-5


def open_unmix_step(settings: config.Config, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return a function that takes one step on a batch `(items, stems, channels, samples)` and returns its loss.

    Raises:
        DemixError: when the package is not installed.
    """
    if find_spec("openunmix") is None:
        raise DemixError(
            "Open-Unmix: expected the package openunmix, found none; pip install --no-deps openunmix==1.3.0"
        )
    # Its modules import torchaudio, which does not load beside every PyTorch; the net itself never uses it.
    sys.modules.setdefault("torchaudio", ModuleType("torchaudio"))
    make = import_module("openunmix.model").OpenUnmix
    spectral = settings.spectral
    bins = spectral.n_fft // 2 + 1
    highest = int(BANDWIDTH_HZ / config.SAMPLE_RATE * spectral.n_fft) + 1
    nets = nn.ModuleList(
        make(nb_bins=bins, nb_channels=config.CHANNELS, hidden_size=HIDDEN_SIZE, max_bin=highest) for _ in config.STEMS
    ).to(device)
    optimiser = torch.optim.Adam(nets.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def step(stems: Tensor) -> Tensor:
        def magnitude(waveform: Tensor) -> Tensor:
            return stft(waveform, n_fft=spectral.n_fft, hop_length=spectral.hop_length).abs()

        mixture = magnitude(stems.sum(dim=1))
        optimiser.zero_grad()
        total = torch.zeros((), device=device)
        for index, net in enumerate(nets):
            loss = nn.functional.mse_loss(net(mixture), magnitude(stems[:, index]))
            torch.autograd.backward(loss)
            total += loss.detach()
        optimiser.step()
        return total

    return step
