"""The loss: zero for the truth, finite on silence, and its parts."""

import numpy as np
import pytest
import torch

from demix.config import Loss, Spectral
from demix.models.stft import stft
from demix.training.losses import ERROR_FLOOR, separation_loss


def run(stems: torch.Tensor, masks: torch.Tensor, loss: Loss, channel: int = 0) -> torch.Tensor:
    spectra = stft(stems, n_fft=4096, hop_length=1024)[:, :, channel]
    return separation_loss(masks[:, :, channel], spectra, stems[:, :, channel], loss=loss, spectral=Spectral())


def masks_like(stems: torch.Tensor, value: float) -> torch.Tensor:
    frames = 1 + stems.shape[-1] // 1024
    return torch.full((*stems.shape[:3], 2049, frames), value, requires_grad=True)


@pytest.mark.parametrize("loss", [Loss(1, 0), Loss(0, 1), Loss(0.1, 0.1), Loss(0, 0, 1)])
def test_loss_and_gradient_are_finite_on_digital_silence(loss: Loss) -> None:
    stems = torch.zeros(2, 4, 2, 8192)
    masks = masks_like(stems, 0.25)
    total = run(stems, masks, loss)
    total.backward()
    assert total.item() == pytest.approx(
        -20 * (loss.waveform + loss.spectrum + loss.complex), abs=1e-4
    )  # no error but its floor
    assert masks.grad is not None
    assert torch.isfinite(masks.grad).all()


@pytest.mark.parametrize("loss", [Loss(1, 0), Loss(0, 1), Loss(0, 0, 1)])
def test_the_right_mask_costs_least(song_excerpt: np.ndarray, loss: Loss) -> None:
    stems = torch.zeros(1, 4, 2, 44_100)
    stems[:, 1] = torch.from_numpy(song_excerpt[1, :, 44_100:88_200].copy())  # drums alone
    right = masks_like(stems, 0.0).detach()
    right[:, 1] = 1
    # A quarter for every stem: an error of 9/16 of the mixture's energy for drums, 1/16 for the others.
    expected = (10 * np.log10(9 / 16 + ERROR_FLOOR) + 3 * 10 * np.log10(1 / 16 + ERROR_FLOOR)) / 4
    assert run(stems, masks_like(stems, 0.25), loss).item() == pytest.approx(expected, abs=1e-3)
    assert run(stems, right, loss).item() == pytest.approx(10 * np.log10(ERROR_FLOOR), abs=1e-3)


def test_waveform_part_is_the_error_over_the_mixture_in_its_channel(song_excerpt: np.ndarray) -> None:
    stems = torch.from_numpy(song_excerpt[None, ..., :44_100].copy())
    masks = masks_like(stems, 0.25)
    for channel in (0, 1):
        mixture = stems.sum(dim=1, keepdim=True)[:, :, channel]
        error = mixture / 4 - stems[:, :, channel]
        ratio = error.square().sum(dim=-1) / mixture.square().sum(dim=-1)
        expected = 10 * torch.log10(ratio + ERROR_FLOOR).mean()
        assert run(stems, masks, Loss(3, 0), channel).item() == pytest.approx(3 * expected.item(), rel=1e-3)


def test_level_of_the_music_does_not_matter(song_excerpt: np.ndarray) -> None:
    stems = torch.from_numpy(song_excerpt[None, ..., 44_100:88_200].copy())
    masks = masks_like(stems, 0.25)
    quiet = run(stems / 10, masks, Loss(1, 1)).item()
    assert run(stems, masks, Loss(1, 1)).item() == pytest.approx(quiet, abs=0.01)


def test_parts_add_up(song_excerpt: np.ndarray) -> None:
    stems = torch.from_numpy(song_excerpt[None, ..., :44_100].copy())
    masks = masks_like(stems, 0.25)
    parts = run(stems, masks, Loss(2, 0)) + run(stems, masks, Loss(0, 3)) + run(stems, masks, Loss(0, 0, 4))
    torch.testing.assert_close(run(stems, masks, Loss(2, 3, 4)), parts)


def test_complex_part_is_nearly_the_waveform_part_and_never_below_it(song_excerpt: np.ndarray) -> None:
    """What overlapping frames cancel of each other's errors is all that lies between them; edges apart."""
    stems = torch.from_numpy(song_excerpt[None].copy())
    masks = torch.sigmoid(
        torch.randn(1, 4, 2, 2049, 1 + stems.shape[-1] // 1024, generator=torch.Generator().manual_seed(0))
    )
    waveform, spectrum = run(stems, masks, Loss(1, 0)), run(stems, masks, Loss(0, 0, 1))
    assert waveform - 0.1 < spectrum < waveform + 1
