"""A net in training on one device: what one step does, by the fastest path that the settings allow.

`plain.py` has the same step without any of it, to measure and to check against.
"""

import copy
import math
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from demix import config
from demix.errors import DemixError
from demix.models import apply_mask_function, build_net
from demix.models.masknet import Features, Head
from demix.models.stft import stft
from demix.training import speed
from demix.training.band_loss import add_up, band_loss, bands_of
from demix.training.distributed import ALONE, Ranks

EMA_WARMUP = 10  # steps over which the moving average forgets the random weights


class Engine:
    """A net, the moving average of its weights, and their optimiser.

    Args:
        settings: all settings of the run; `settings.training.seed` decides the weights.
        device: where to train.
        ranks: the processes that train together.
        start: weights, by their names, that replace random ones.
    """

    def __init__(
        self,
        settings: config.Config,
        *,
        device: torch.device,
        ranks: Ranks = ALONE,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings, self.device, self.ranks = settings, device, ranks
        options, how = settings.training, settings.speed
        torch.manual_seed(options.seed)
        self.net = build_net(settings)
        if start:
            self.net.load_state_dict({**self.net.state_dict(), **start})
        self.net.to(device)
        if how.channels_last:
            speed.put_channels_last(self.net)
        self.ema = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=how.fused_optimiser or None,
        )
        self.scaler = GradScaler(device.type, enabled=how.precision == "float16")
        self.bands = bands_of(cast(Features, self.net.features), cast(Head, self.net.head))
        speed.set_matrix_precision(how.precision)
        speed.keep_features_exact(self.net, device)
        if how.checkpoint_activations:
            speed.checkpoint_blocks(self.net)
        self._logits: nn.Module = speed.compiled(self.net) if how.compile else self.net
        if ranks.size > 1:
            parallel = DistributedDataParallel(self._logits, gradient_as_bucket_view=True)
            # The nets' buffers are constants. Not an argument: PyTorch 2.13 has renamed it, and warns of the old name.
            parallel.broadcast_buffers = False
            self._logits = parallel

    def step(self, stems: Tensor, step: int) -> Tensor:
        """Take one step down the loss of this rank's share of batch `step`; return that loss, a scalar.

        Args:
            stems: true stems `(items, stems, channels, samples)` on the device; the mixture is their sum.
            step: number of the batch, which decides the learning rate and the channel that is compared.

        Raises:
            DemixError: when the device has too little memory for it.
        """
        try:
            return self._step(stems, step)
        except torch.OutOfMemoryError as error:
            at_once = self.settings.speed.micro_batch or len(stems)
            raise DemixError(
                f"{self.device}: too little memory for a step of {at_once} segments at a time; "
                f"set speed.micro_batch below {at_once}, or speed.checkpoint_activations=true"
            ) from error

    def _step(self, stems: Tensor, step: int) -> Tensor:
        options, how = self.settings.training, self.settings.speed
        self.net.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(options, step)
        self.optimiser.zero_grad()
        pieces = torch.split(stems, how.micro_batch or len(stems))
        total = torch.zeros((), device=self.device)
        for number, piece in enumerate(pieces, start=1):
            # Ranks exchange gradients once a step, after the last piece, however many pieces each of them has.
            apart = isinstance(self._logits, DistributedDataParallel) and number < len(pieces)
            exchange = cast(DistributedDataParallel, self._logits).no_sync() if apart else nullcontext()
            # Around the backward pass too, which may compute attention again.
            with exchange, speed.attention(how.flash_attention):
                loss = self._loss(piece, channel=step % config.CHANNELS)
                weight = len(piece) * self.ranks.size / self.settings.data.batch_size
                torch.autograd.backward(self.scaler.scale(loss * weight))
            total += loss.detach() * (len(piece) / len(stems))
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.net.parameters(), options.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        update_average(self.ema, self.net, decay=average_decay(options, step))
        return total

    def _loss(self, stems: Tensor, *, channel: int) -> Tensor:
        settings, spectral = self.settings, self.settings.spectral
        transform = partial(stft, n_fft=spectral.n_fft, hop_length=spectral.hop_length)
        with torch.no_grad():
            spectra = transform(stems[:, :, channel])  # of the channel that is compared; of the other the sum alone
            both = [add_up(spectra), transform(add_up(stems[:, :, 1 - channel]))]
            mixture = torch.view_as_real(torch.stack(both if channel == 0 else both[::-1], dim=1))
        with speed.autocast(settings.speed.precision, self.device):
            logits = self._logits(mixture, by_band=True)
        masks = apply_mask_function(logits[:, :, channel].float(), settings.model.mask)
        return band_loss(masks, spectra, stems[:, :, channel], bands=self.bands, loss=settings.loss, spectral=spectral)


def learning_rate(options: config.Training, step: int) -> float:
    """Learning rate of batch `step`: a straight rise, times half a cosine to zero (Loshchilov and Hutter 2017)."""
    rise = min(1.0, (step + 1) / max(1, options.warmup_steps))
    return options.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / options.steps))


def average_decay(options: config.Training, step: int) -> float:
    """Decay of the averaged weights after batch `step`: lower in the first steps, to forget the random weights."""
    return min(options.ema_decay, (1 + step) / (EMA_WARMUP + step))


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, *, decay: float) -> None:
    """Move the averaged weights, and statistics of normalisation, towards the net's; counters are copied."""
    pairs = list(zip(average.state_dict().values(), net.state_dict().values(), strict=True))
    moving = [pair for pair in pairs if pair[0].is_floating_point()]
    get_ema_multi_avg_fn(decay)([old for old, _ in moving], [new for _, new in moving], 0)  # type: ignore[no-untyped-call]
    for old, new in pairs:
        if not old.is_floating_point():
            old.copy_(new)
