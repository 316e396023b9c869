"""The effective receptive field of nets whose field is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.field import average_fields, field_offsets, field_radius, field_shares
from demix.evaluation.probes.moments import Moments
from demix.evaluation.probes.probed import ProbedNet
from demix.spectral import STFT

HOP_SECONDS = 1024 / SAMPLE_RATE


def measure(net: nn.Module, here: Moments, wrap: Callable[[nn.Module, Moments], ProbedNet]) -> tuple[float, np.ndarray]:
    shares = average_fields([field_shares(wrap(net, here), here)])
    return field_radius(field_offsets(STFT(), len(shares)), shares), shares


@pytest.mark.parametrize(("layers", "reach_seconds"), [(3, 2.0), (4, 3.0), (5, 6.0)])
def test_a_convolution_stack(layers: int, reach_seconds: float, moments, wrap, known_net) -> None:
    radius, shares = measure(known_net(f"box-{layers}"), moments(reach_seconds), wrap)
    assert radius == pytest.approx(0.95 * 3**layers * HOP_SECONDS / 2, rel=0.2)
    away = np.abs(np.arange(len(shares)) - len(shares) // 2)
    assert (shares[away > 3**layers // 2] == 0).all()
    assert (shares[away <= 3**layers // 2] > 0).all()
    assert shares.sum() == pytest.approx(1)


def test_an_average_of_the_segment(moments, wrap, known_net) -> None:
    here = moments(4.0)
    assert measure(known_net("average"), here, wrap)[0] == pytest.approx(0.95 * 4, rel=0.1)


def test_a_pointwise_net(moments, wrap, known_net) -> None:
    radius, shares = measure(known_net("pointwise"), moments(2.0), wrap)
    assert radius <= HOP_SECONDS / 2
    assert shares.max() == pytest.approx(1)


def test_loudness_of_a_frame_does_not_decide_its_share(moments, wrap, known_net) -> None:
    """A gradient with respect to the spectrum itself would be a hundred times larger where music is 40 dB softer."""
    here = moments(2.0)
    soft = here.mixtures.copy()
    soft[..., : here.reach - 4096] *= 0.1
    _, shares = measure(known_net("box-4"), Moments(here.track, here.starts, soft, *[here.fillers] * 3), wrap)
    before, after = shares[: len(shares) // 2].sum(), shares[len(shares) // 2 + 1 :].sum()
    assert 0.5 < before / after < 2


def test_what_shifts_all_stems_alike_does_not_count(moments, wrap) -> None:
    class Common(nn.Module):
        """The same logits for every stem: masks of a quarter each, whatever is heard."""

        def forward(self, spectrum: torch.Tensor, *, by_band: bool = False) -> torch.Tensor:
            return spectrum.square().sum(-1)[:, None].expand(-1, 4, -1, -1, -1)

    assert np.isnan(measure(Common(), moments(2.0), wrap)[0])


def test_shorter_windows_are_laid_on_the_middle() -> None:
    mean = average_fields([np.array([[0.0, 0, 1, 0, 0]]), np.array([[0.5, 0.25, 0.25]])])
    np.testing.assert_allclose(mean, [0, 0.25, 0.625, 0.125, 0])
