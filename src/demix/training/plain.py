"""One training step as one writes it down first: eager, float32, masks for every bin, nothing read ahead.

It is what the step of `engine.py` is checked against and timed beside; it shares with it the nets, the loss and the
batches.
"""

import torch
from torch import Tensor, nn

from demix import config
from demix.models import apply_mask_function
from demix.models.stft import stft
from demix.training.engine import learning_rate
from demix.training.losses import separation_loss


def plain_step(
    net: nn.Module, optimiser: torch.optim.Optimizer, stems: Tensor, *, settings: config.Config, step: int
) -> Tensor:
    """Take one step down the loss of a batch, `(items, stems, channels, samples)`; return the loss, a scalar."""
    loss = plain_loss(net, stems, settings=settings, step=step)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(settings.training, step)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(net.parameters(), settings.training.clip_norm)
    optimiser.step()
    return loss.detach()


def plain_loss(net: nn.Module, stems: Tensor, *, settings: config.Config, step: int) -> Tensor:
    """Return the loss of a batch: of left and right in turn, step by step."""
    spectral = settings.spectral
    channel = step % config.CHANNELS
    with torch.no_grad():
        mixture = stft(stems.sum(dim=1), n_fft=spectral.n_fft, hop_length=spectral.hop_length)
        spectra = stft(stems[:, :, channel], n_fft=spectral.n_fft, hop_length=spectral.hop_length)
    masks = apply_mask_function(net(torch.view_as_real(mixture)), settings.model.mask)
    return separation_loss(masks[:, :, channel], spectra, stems[:, :, channel], loss=settings.loss, spectral=spectral)
