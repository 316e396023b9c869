"""The operations of a training step: those of every convolution and matrix product, and no others."""

import pytest
import torch
from torch import Tensor, nn

from demix.config import Config, load_config
from demix.data.segments import segment_samples
from demix.models import MODELS, build_net
from demix.training.flops import count_step_flops


def settings_of(net: str, *more: str) -> Config:
    return load_config(None, [f"model.name={net}", "data.batch_size=1", "data.segment_seconds=1.0", *more])


@pytest.mark.parametrize("net", MODELS)
def test_operations_are_those_of_the_layers_by_hand(net: str) -> None:
    settings = settings_of(net)
    built = build_net(settings)
    counts: list[float] = []

    def count(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        forward = 2 * result.numel() * layer.weight[0].numel()
        counts.append(forward * (3 if given[0].requires_grad else 2))  # gradients of weights, and of what went in

    for layer in built.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    frames = 1 + segment_samples(settings.data) // settings.spectral.hop_length
    built(torch.randn(1, 2, 2049, frames, 2), by_band=True)
    pooling = 2 * 4 * 192 * 2049 * frames
    attention = 0
    if net == "vit":
        tokens, blocks, width = (192 // 8) * -(-frames // 8), 4, 128
        attention = 3 * blocks * 2 * 2 * tokens**2 * width
    assert count_step_flops(settings) == sum(counts) + pooling + attention


@pytest.mark.parametrize("net", MODELS)
def test_operations_grow_with_the_batch_and_not_with_how_it_is_computed(net: str) -> None:
    one = count_step_flops(settings_of(net))
    how = ("speed.precision=float16", "speed.micro_batch=1", "speed.flash_attention=false", "speed.compile=true")
    assert count_step_flops(settings_of(net, "data.batch_size=6", *how)) == 6 * one


@pytest.mark.parametrize("net", MODELS)
def test_what_is_computed_again_counts_when_asked_for(net: str) -> None:
    thin = settings_of(net, "speed.checkpoint_activations=true")
    once = count_step_flops(settings_of(net))
    assert count_step_flops(thin) == once
    assert count_step_flops(settings_of(net), recomputed=True) == once
    assert 1.15 * once < count_step_flops(thin, recomputed=True) < 4 / 3 * once
