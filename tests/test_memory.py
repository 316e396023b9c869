"""The memory of a training step: small nets fit a card with 4 GB, and the two ways to know it agree."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from demix.compare import PlannedRun, check_alike
from demix.config import load_config
from demix.models import MODELS, build_net, count_parameters
from demix.training import band_loss
from demix.training.engine import Engine
from demix.training.live_bytes import LiveBytes
from demix.training.memory import compute_step_memory, count_step_memory

ROOT = Path(__file__).parents[1]
LIMIT = int(3.5 * 2**30)
TOLERANCE = 0.1  # of the computed peak against the counted one
THIN = "speed.checkpoint_activations=true"
GROWING = ("activations", "loss or backward pass, for a moment")


def config(net: str) -> Path:
    return ROOT / "configs" / f"musdb18-{net}.toml"


@cache
def computed(net: str, *settings: str) -> dict[str, int]:
    return compute_step_memory(load_config(config(net), settings))


@cache
def counted(net: str, *settings: str) -> int:
    return count_step_memory(load_config(config(net), settings))


@pytest.mark.parametrize("net", MODELS)
@pytest.mark.parametrize("fused", [True, False])
def test_small_nets_train_with_16_segments_of_six_seconds_on_a_card_with_4_gb(net: str, fused: bool) -> None:
    settings = load_config(config(net))
    assert (settings.model.preset, settings.speed.precision, settings.data.batch_size) == ("small", "float16", 16)
    assert settings.data.segment_seconds == pytest.approx(6, abs=0.1)
    assert not settings.speed.resident  # songs in the card's memory are not counted
    with nullcontext() if fused else sdpa_kernel(SDPBackend.MATH):  # as for a card without fused attention
        assert count_step_memory(settings) < LIMIT
        assert sum(compute_step_memory(settings).values()) < LIMIT


def test_the_configs_for_musdb18_can_be_compared() -> None:
    check_alike([PlannedRun(Path(net), load_config(config(net))) for net in MODELS])


@pytest.mark.parametrize("net", MODELS)
@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("thin", [True, False])
def test_computed_peak_agrees_with_the_counted_one(net: str, segments: int, thin: bool) -> None:
    settings = (f"speed.micro_batch={segments}", *([THIN] if thin else []))
    assert sum(computed(net, *settings).values()) == pytest.approx(counted(net, *settings), rel=TOLERANCE)


@pytest.mark.parametrize("net", MODELS)
def test_checkpoints_keep_less(net: str) -> None:
    one = "speed.micro_batch=4"
    assert computed(net, one, THIN)["activations"] < 0.7 * computed(net, one)["activations"]
    assert counted(net, one, THIN) < counted(net, one)


@pytest.mark.parametrize("net", MODELS)
def test_activations_grow_in_proportion_to_the_segments_at_a_time(net: str) -> None:
    few, many = (computed(net, f"speed.micro_batch={segments}") for segments in (1, 4))
    assert all(many[name] == 4 * few[name] for name in GROWING)
    assert all(many[name] == few[name] for name in few.keys() - set(GROWING))
    fixed = sum(size for name, size in few.items() if name not in GROWING)
    growth = (counted(net, "speed.micro_batch=4") - fixed) / (counted(net, "speed.micro_batch=1") - fixed)
    assert growth == pytest.approx(4, rel=0.08)


@pytest.mark.parametrize("net", MODELS)
def test_weights_and_what_belongs_to_them_is_counted_by_hand(net: str) -> None:
    parts = computed(net)
    built = build_net(load_config(config(net)))
    parameters = count_parameters(built)
    assert parts["gradients"] == pytest.approx(4 * parameters, rel=0.01)
    assert parts["AdamW's moments"] == pytest.approx(8 * parameters, rel=0.01)
    assert parts["weights"] >= 4 * parameters
    multiplied = [m.weight.numel() for m in built.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert parts["weights in half precision"] == pytest.approx(2 * sum(multiplied), rel=0.05)
    assert parts["stems of the batch"] == 16 * 4 * 2 * round(5.94 * 44_100) * 4


def test_a_gpu_normalises_in_float32_under_autocast() -> None:
    """A CPU's autocast leaves norms in half precision, and would keep 0.55 of what float32 keeps."""
    half, full = (computed("unet", f"speed.precision={name}")["activations"] for name in ("float16", "float32"))
    assert 0.65 < half / full < 0.8


def test_attention_without_a_fused_kernel_keeps_its_weights() -> None:
    settings = "speed.micro_batch=1"
    tokens, heads, blocks = 32 * 64, 6, 6
    with sdpa_kernel(SDPBackend.MATH):
        plain = compute_step_memory(load_config(config("vit"), [settings]))["activations"]
    kept = plain - computed("vit", settings)["activations"]
    assert kept == pytest.approx(blocks * heads * tokens**2 * 4, rel=0.01)


@pytest.mark.parametrize("net", MODELS)
@pytest.mark.parametrize("more", [(), (THIN,), ("speed.micro_batch=1",), ("speed.flash_attention=false",)])
def test_fake_tensors_take_what_real_ones_take(
    net: str, more: tuple[str, ...], nano_settings: Callable[..., list[str]]
) -> None:
    settings = load_config(None, nano_settings(net, "speed.precision=float16", *more))
    fake, real = (count_step_memory(settings, fake=fake) for fake in (True, False))
    assert fake == pytest.approx(real, abs=2048)  # a scalar or two
    assert real > 1e6


def test_counting_leaves_no_trace(nano_settings: Callable[..., list[str]]) -> None:
    settings = load_config(None, nano_settings())
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    compute_step_memory(settings)
    count_step_memory(settings)
    assert torch.rand(1) == expected
    assert band_loss._constants.cache_info().currsize == 0  # fake ones would spoil the next training
    assert torch.isfinite(Engine(settings, device=torch.device("cpu")).step(torch.randn(2, 4, 2, 22_050), 0))


def test_live_bytes_follow_storages_until_nothing_holds_them() -> None:
    weight = torch.ones(1000, requires_grad=True)  # 4000 bytes, in blocks of 512: 4096
    with LiveBytes([weight]) as live:
        assert live.now == 4096
        doubled = weight * 2
        view = doubled[10:]
        assert live.now == 2 * 4096
        squared = doubled.square()  # autograd keeps what it is the square of
        del doubled, view
        assert live.now == 3 * 4096
        total = squared.sum()
        del squared
        assert live.now == 2 * 4096 + 512
        torch.autograd.backward(total)
        assert live.peak >= 4 * 4096
        del total
        assert live.now == 2 * 4096  # the weight and its gradient
    torch.ones(1000)
    assert live.now == 2 * 4096


def pins(name: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines if line]
    assert all(found)  # versions alone, no options and no addresses
    return {match[1]: match[2] for match in found if match}


def test_pins_for_the_card_are_those_of_the_project_but_for_torch() -> None:
    card, project = pins("constraints-gtx1050ti.txt"), pins("constraints.txt")
    assert card.pop("torch").startswith("2.14.")  # the last whose CUDA 12.6 build runs on it
    assert len(card) > 50
    assert card.items() <= project.items()
