"""Attention: weights as the blocks use them, and distances that are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.attention import attend, attention_rows, grid_of, measure_attention
from demix.evaluation.probes.attention_maps import choose_scene, draw_maps
from demix.evaluation.probes.moments import Moments
from demix.evaluation.probes.probed import ProbedNet
from demix.models import UNet, ViT

COLUMN_SECONDS = 8 * 1024 / SAMPLE_RATE
Cut = Callable[..., Moments]
Wrap = Callable[[nn.Module, Moments], ProbedNet]
Make = Callable[..., ViT]


@pytest.mark.parametrize("window_frames", [None, 24])
def test_weights_are_those_that_a_block_attends_with(window_frames: int | None, small_vit: Make) -> None:
    net = small_vit(window_frames=window_frames)
    spectrum = torch.randn(1, 2, 2049, 80, 2)
    seen: dict[str, torch.Tensor] = {}

    def keep(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None
    ) -> torch.Tensor:
        seen.setdefault("value", value)
        attended = original(query, key, value, attn_mask=attn_mask)
        seen.setdefault("attended", attended)
        return attended

    original = functional.scaled_dot_product_attention
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(functional, "scaled_dot_product_attention", keep)
        before = net(spectrum)
        weights = attend(net, spectrum, torch.arange(40))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 40))
    torch.testing.assert_close(weights[0] @ seen["value"][0], seen["attended"][0], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(net(spectrum), before)  # the hooks are gone and left no trace


@pytest.mark.parametrize("window_frames", [0, 16, 40])
def test_a_window_is_never_looked_beyond(window_frames: int, small_vit: Make, moments: Cut, wrap: Wrap) -> None:
    here = moments(2.0)
    net = wrap(small_vit(window_frames=window_frames), here)
    for found in measure_attention(net, here):
        assert found.columns[..., window_frames // 8 + 1 :].sum() == 0
        np.testing.assert_allclose(found.columns.sum(-1), 1)
        assert (found.entropy <= 1 + 1e-9).all()
    for row in attention_rows(net, measure_attention(net, here)):
        assert row.p90_seconds <= window_frames // 8 * COLUMN_SECONDS


@pytest.mark.parametrize("window_frames", [None, 24])
def test_even_attention_has_the_mean_distance_of_all_tokens_in_sight(
    window_frames: int | None, small_vit: Make, moments: Cut, wrap: Wrap
) -> None:
    here = moments(2.0)
    vit = small_vit(window_frames=window_frames)
    for block in vit.blocks:
        nn.init.zeros_(block.qkv.weight[:32])
        nn.init.zeros_(block.qkv.bias[:32])
    net = wrap(vit, here)
    rows, columns = grid_of(vit, 2 * net.middle + 1)
    away = np.abs(np.arange(columns) - net.middle // 8)
    away = away if window_frames is None else away[away * 8 <= window_frames]
    apart = np.abs(np.subtract.outer(np.arange(rows), np.arange(rows)))
    found = attention_rows(net, measure_attention(net, here))
    assert {(row.layer, row.head) for row in found} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for row in found:
        assert row.mean_seconds == pytest.approx(away.mean() * COLUMN_SECONDS)
        assert row.p90_seconds == pytest.approx(np.quantile(away, 0.9, method="inverted_cdf") * COLUMN_SECONDS)
        assert row.mean_rows == pytest.approx(apart.mean())
        assert row.entropy_share == pytest.approx(1)


def test_maps_are_of_the_whole_scene(small_vit: Make, moments: Cut, wrap: Wrap) -> None:
    here = moments(4.0)
    net = wrap(small_vit(), here)
    scene = choose_scene(here)
    maps = draw_maps(net, scene)
    assert maps is not None
    rows, columns = maps.facts["rows"], maps.facts["columns"]
    queries = maps.arrays["query"]
    assert maps.arrays["maps"].shape == (len(queries), rows, columns)
    assert maps.arrays["layers"].shape == (2, rows, columns)
    np.testing.assert_allclose(maps.arrays["maps"].sum((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(maps.arrays["layers"][-1], maps.arrays["maps"][0], rtol=1e-5)
    band_hz = np.array(maps.facts["band_hz"])
    assert len(band_hz) == rows + 1
    assert (np.diff(band_hz) > 0).all()
    assert (band_hz[0], band_hz[-1]) == (0, 22_050)
    for hz, (row, column) in zip((100, 1000, 6000), queries, strict=True):
        assert band_hz[row] <= hz < band_hz[row + 1]
        assert columns // 3 <= column < columns - columns // 3
    assert scene.mixture.shape[-1] == 2 * here.reach
    assert scene.start == here.starts[0]


def test_nets_without_attention_have_no_rows(moments: Cut, wrap: Wrap) -> None:
    here = moments(2.0)
    net = wrap(UNet(bins=2049, stems=4, channels=2, bands=64, widths=(8, 8)), here)
    assert attention_rows(net, measure_attention(net, here)) == []
    assert draw_maps(net, choose_scene(here)) is None
