"""A net as probes see it: windows of music in, the masks of the frame in their middle out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from demix.config import SAMPLE_RATE
from demix.data.track import Audio
from demix.models import apply_mask_function
from demix.models.stft import stft
from demix.runtime import load_run, pick_device
from demix.spectral import STFT


@dataclass(frozen=True)
class ProbedNet:
    """A net and what it takes to run it.

    Args:
        system: name of the run.
        group: what it is pooled with over seeds.
        net: see `demix.models`; in evaluation mode, on `device`.
        mask: name of its mask function.
        stft: its transform.
        device: where it runs.
        reach: samples of the window before and after the probed frame, a multiple of the transform's hop, so that a
            frame of the window is centred on the probed one.
    """

    system: str
    group: str
    net: nn.Module
    mask: str
    stft: STFT
    device: torch.device
    reach: int

    def spectra(self, waveforms: Audio | torch.Tensor) -> torch.Tensor:
        """Transform windows `(batch, channels, 2 * reach)` to what the net takes, on its device."""
        waveforms = torch.as_tensor(waveforms, device=self.device)
        return torch.view_as_real(stft(waveforms, n_fft=self.stft.n_fft, hop_length=self.stft.hop_length))

    @property
    def middle(self) -> int:
        """Number of the probed frame in its window."""
        return self.reach // self.stft.hop_length

    def masks(self, waveforms: torch.Tensor) -> npt.NDArray[np.float32]:
        """Return the masks of the probed frame, `(batch, stems, channels, bins)`."""
        with torch.inference_mode():
            logits = self.net(self.spectra(waveforms))[..., self.middle]
            masks: npt.NDArray[np.float32] = apply_mask_function(logits, self.mask).cpu().numpy()
        return masks


def load_probed(folder: Path, *, group: str | None, radius_seconds: float | None, device: str) -> ProbedNet:
    """Load a run for probing.

    Args:
        folder: the run folder.
        group: what it is pooled with; None for its own name.
        radius_seconds: how far the windows reach from the frame; None for half of the run's training segment.
        device: where it runs.

    Raises:
        DemixError: when the folder is not a run folder.
    """
    run = load_run(folder, device=device)
    spectral = run.config.spectral
    seconds = run.config.data.segment_seconds / 2 if radius_seconds is None else radius_seconds
    return ProbedNet(
        system=run.name,
        group=group or run.name,
        net=run.net,
        mask=run.config.model.mask,
        stft=STFT(spectral.n_fft, spectral.hop_length),
        device=pick_device(device),
        reach=whole_hops(int(seconds * SAMPLE_RATE), spectral.hop_length),
    )


def whole_hops(samples: int, hop_length: int) -> int:
    """Round down to a whole number of hops."""
    return samples // hop_length * hop_length
