"""Every net in the registry: shapes, gradients, presets, and what makes the ViT a ViT."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from demix.config import Config, load_config
from demix.errors import DemixError
from demix.evaluation.cost import count_flops
from demix.models import MODELS, apply_mask_function, build_net, count_parameters
from demix.models.attention import rotary_angles, rotate
from demix.models.bands import band_edges
from demix.models.masknet import Features
from demix.models.presets import PRESETS
from demix.models.unet import UNet
from demix.models.vit import ViT

SMALL_VIT = ("model.name=vit", "model.options.embed_dim=16", "model.options.depth=2", "model.options.num_heads=2")


def spectrum(frames: int, *, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 2, 2049, frames, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frames", [1, 13, 128])
def test_any_number_of_frames_gives_logits_at_full_resolution(name: str, frames: int) -> None:
    net = build_net(load_config(None, [f"model.name={name}"])).eval()
    logits = net(spectrum(frames))
    assert logits.shape == (1, 4, 2, 2049, frames)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("mask", ["softmax", "sigmoid"])
@pytest.mark.parametrize("phase", ["true", "false"])
def test_every_parameter_gets_a_gradient_even_where_there_is_silence(name: str, mask: str, phase: str) -> None:
    torch.manual_seed(0)
    net = build_net(load_config(None, [f"model.name={name}", f"model.phase={phase}"]))
    mixture = spectrum(24, batch=2)
    mixture[0] = 0  # one item is digital silence
    apply_mask_function(net(mixture), mask).square().mean().backward()
    for key, value in net.named_parameters():
        assert value.grad is not None, key
        assert torch.isfinite(value.grad).all(), key
        assert value.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", MODELS)
def test_input_gradient_is_finite_on_silence(name: str) -> None:
    silence = torch.zeros(1, 2, 2049, 16, 2, requires_grad=True)
    build_net(load_config(None, [f"model.name={name}", "model.phase=true"])).eval()(silence).sum().backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()


def test_softmax_masks_add_up_to_one_and_sigmoid_masks_need_not() -> None:
    logits = torch.randn(2, 4, 2, 5, 7)
    torch.testing.assert_close(apply_mask_function(logits, "softmax").sum(dim=1), torch.ones(2, 2, 5, 7))
    single = apply_mask_function(logits, "sigmoid")
    assert ((single > 0) & (single < 1)).all()
    assert (single.sum(dim=1) - 1).abs().max() > 0.1


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_pair_the_nets_within_five_percent_in_parameters(preset: str) -> None:
    with torch.device("meta"):
        counts = [
            count_parameters(build_net(load_config(None, [f"model.name={name}", f"model.preset={preset}"])))
            for name in MODELS
        ]
    assert max(counts) <= 1.05 * min(counts), counts


def test_presets_grow_and_cover_every_net() -> None:
    assert list(PRESETS) == ["tiny", "small", "base"]
    assert all(set(sizes) == set(MODELS) for sizes in PRESETS.values())
    with torch.device("meta"):
        for name in MODELS:
            counts = [
                count_parameters(build_net(load_config(None, [f"model.name={name}", f"model.preset={preset}"])))
                for preset in PRESETS
            ]
            assert all(large > 3 * small for small, large in pairwise(counts)), counts


def test_flops_of_the_vit_include_attention() -> None:
    settings = load_config(None, [*SMALL_VIT, "model.options.patch_size=[16, 4]", "model.options.bands=64"])
    net = build_net(settings)
    assert isinstance(net, ViT)
    tokens, dim, depth = (64 // 16) * (128 // 4), 16, 2
    blocks = depth * (24 * tokens * dim**2 + 4 * tokens**2 * dim)  # linear layers, then QK^T and AV
    patches = 2 * tokens * dim * net.features.count * 16 * 4
    unfold = 2 * tokens * dim * 8 * 16 * 4
    head = 2 * 64 * 128 * ((8 + net.features.count) * 9 * 16 + 16 * 8)
    pool = 2 * 64 * 2049 * 4 * 128
    assert count_flops(net, settings) * 2.95 == pytest.approx(blocks + patches + unfold + head + pool, rel=1e-6)
    assert net.training


def test_vit_hears_the_far_end_and_a_window_does_not() -> None:
    torch.manual_seed(0)
    mixture, other = spectrum(64), spectrum(64, seed=1)
    changed = mixture.clone()
    changed[..., 60:, :] = other[..., 60:, :]
    for window, hears in ((None, True), (8, False)):
        options = list(SMALL_VIT)
        if window is not None:
            options.append(f"model.options.window_frames={window}")
        net = build_net(load_config(None, options)).eval()
        with torch.no_grad():
            # Two blocks of +-8 frames reach 16 frames and a patch, the contrast maps 8 frames, the head one more.
            difference = (net(mixture) - net(changed))[..., :24].abs().max()
        assert (difference > 1e-6) == hears


def test_unet_has_a_bounded_reach_in_time_but_for_its_normalisation() -> None:
    net = build_net(load_config(None, ["model.options.widths=[4, 8]", "model.options.kernel_size=3"])).eval()
    assert isinstance(net, UNet)
    for block in (*net.encoder, *net.decoder):
        block.norm = torch.nn.Identity()
    mixture, other = spectrum(128), spectrum(128, seed=1)
    changed = mixture.clone()
    changed[..., 120:, :] = other[..., 120:, :]
    with torch.no_grad():
        difference = (net(mixture) - net(changed)).abs().amax(dim=(0, 1, 2, 3))
    assert difference[120:].min() > 0
    assert difference[:90].max() == 0


def test_rotary_positions_depend_on_distance_only() -> None:
    angles = rotary_angles(6, 8, 8, torch.device("cpu"))
    query, key = torch.randn(8), torch.randn(8)
    turned = [rotate(vector.expand(1, 1, 48, 8), angles)[0, 0] for vector in (query, key)]
    scores = (turned[0] @ turned[1].T).reshape(6, 8, 6, 8)
    torch.testing.assert_close(scores[1, 2, 3, 5], scores[2, 4, 4, 7])  # 2 rows and 3 columns apart, twice
    assert abs(scores[1, 2, 3, 5] - scores[1, 2, 3, 6]) > 1e-4
    assert abs(scores[1, 2, 3, 5] - scores[1, 2, 2, 5]) > 1e-4


def test_without_rotary_positions_shuffled_columns_give_shuffled_masks() -> None:
    """The control "ViT without positions": order in time then means nothing to attention."""
    torch.manual_seed(0)
    options = [*SMALL_VIT, "model.options.patch_size=[16, 1]"]
    order = torch.randperm(12)
    for positions, same in (("rows", True), ("none", True), ("all", False)):
        net = build_net(load_config(None, [*options, f"model.options.positions={positions}"])).eval()
        assert isinstance(net, ViT)
        net.head.mix.weight.data[..., [0, 2]] = 0  # the head's convolution looks at the frames beside
        net.head.mix.weight.data[:, -2:] = 0  # and so does the contrast in time
        net.patch_embed.weight.data[:, -2:] = 0
        mixture = spectrum(12)
        with torch.no_grad():
            difference = (net(mixture)[..., order] - net(mixture[..., order, :])).abs().max()
        assert (difference < 1e-4) == same


def test_without_any_positions_shuffled_patches_give_shuffled_tokens() -> None:
    """`positions=none`: neither time nor frequency; with `rows` frequency is known."""
    torch.manual_seed(0)
    order = torch.randperm(24)
    for positions, same in (("none", True), ("rows", False), ("all", False)):
        settings = load_config(None, [*SMALL_VIT, f"model.options.positions={positions}", "model.options.bands=48"])
        net = build_net(settings).eval()
        assert isinstance(net, ViT)
        seen: list[torch.Tensor] = []
        net.patch_embed.register_forward_hook(lambda *_, seen=seen: seen[0] if seen else None)
        net.norm.register_forward_hook(lambda _module, _given, tokens, seen=seen: seen.append(tokens))
        with torch.no_grad():
            seen.append(torch.randn(1, 16, 6, 4))
            net(spectrum(32))
            patches, straight = seen[0].flatten(2), seen[1]
            seen[:] = [patches[..., order].unflatten(2, (6, 4))]
            net(spectrum(32))
        assert ((seen[1] - straight[:, order]).abs().max() < 1e-4) == same


BOTTLENECKS = (
    ("model.options.bottleneck=dilated",),
    ("model.options.bottleneck=attention", "model.options.widths=[8, 16, 16]"),
)


@pytest.mark.parametrize("options", BOTTLENECKS)
def test_bottlenecks_see_far_and_every_parameter_learns(options: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    net = build_net(load_config(None, ["model.options.widths=[8, 8, 16]", *options])).eval()
    plain = build_net(load_config(None, ["model.options.widths=[8, 8, 16]"])).eval()
    for block in (*net.encoder, *net.decoder, *plain.encoder, *plain.decoder):  # type: ignore[misc]
        block.norm = torch.nn.Identity()
    mixture, other = spectrum(128), spectrum(128, seed=1)
    changed = mixture.clone()
    changed[..., 120:, :] = other[..., 120:, :]
    for step in getattr(net.bottleneck, "steps", ()):
        step[1] = torch.nn.Identity()  # group normalisation hears the whole segment
    with torch.no_grad():
        far, near = ((each(mixture) - each(changed))[..., 72:80].abs().max() for each in (net, plain))
    assert near == 0
    assert far > 0
    net(mixture).square().mean().backward()
    for key, value in net.named_parameters():
        if "norm" not in key and ".steps." not in key:
            assert value.grad is not None, key
            assert value.grad.abs().max() > 0, key


def test_impossible_controls_are_refused() -> None:
    for option in ("bottleneck=deep", "positions=learned"):
        with pytest.raises(DemixError, match="expected one of"):
            build_net(
                load_config(None, [f"model.name={'vit' if 'pos' in option else 'unet'}", f"model.options.{option}"])
            )
    with pytest.raises(DemixError, match="multiple of 16"):
        build_net(load_config(None, ["model.options.bottleneck=attention", "model.options.widths=[8, 12]"]))


def test_bands_divide_the_bins_and_are_narrow_where_the_energy_is() -> None:
    for bands, bins in ((1, 1), (64, 65), (192, 2049), (384, 2049), (2049, 2049)):
        edges = np.array(band_edges(bands, bins))
        assert (len(edges), edges[0], edges[-1]) == (bands + 1, 0, bins)
        assert np.diff(edges).min() >= 1
    widths = np.diff(band_edges(192, 2049))
    assert widths[:5].max() <= 2
    assert widths[-5:].min() >= 30


def test_bins_of_a_band_share_their_mask_and_bands_differ() -> None:
    torch.manual_seed(0)
    net = build_net(Config()).eval()
    with torch.no_grad():
        logits = net(spectrum(8))
    edges = band_edges(192, 2049)
    for low, high in pairwise(edges):
        assert (logits[..., low:high, :] == logits[..., low : low + 1, :]).all()
    assert logits[..., edges[:-1], :].diff(dim=-2).abs().amax(dim=(0, 1, 2, 4)).min() > 0


COMPRESSED = {
    "log": lambda power: 0.5 * np.log(power + 1e-4),
    "power": lambda power: ((power + 1e-4) ** 0.15 - 1) / 0.3,
}


@pytest.mark.parametrize("compression", COMPRESSED)
def test_features_are_compressed_magnitudes_and_contrasts_tell_clicks_from_tones(compression: str) -> None:
    features = Features(channels=2, bins=2049, bands=192, phase=False, compression=compression)
    compressed = COMPRESSED[compression]
    tone, click = torch.zeros(1, 2, 2049, 64, 2), torch.zeros(1, 2, 2049, 64, 2)
    tone[:, :, 20, :, 0] = 10
    click[:, :, :, 30, 0] = 10
    row = next(row for row, high in enumerate(band_edges(192, 2049)[1:]) if high > 20)
    with torch.no_grad():
        of_tone, of_click = features(tone)[0], features(click)[0]
    low, high = band_edges(192, 2049)[row : row + 2]
    for channel in (0, 1, 2):  # left, right, mid; nothing at the side
        assert of_tone[channel, row, 30].item() == pytest.approx(0.5 * compressed(100 / (high - low)), rel=1e-4)
    assert of_tone[3, row, 30].item() == pytest.approx(0.5 * compressed(0), rel=1e-4)
    in_time, in_frequency = -2, -1
    assert of_tone[in_time, row].abs().max() < 1e-4 < 3 < of_tone[in_frequency, row].min()
    assert of_click[in_frequency, :, 30].abs().max() < 1e-4 < 3 < of_click[in_time, :, 30].min()


@pytest.mark.parametrize(
    "options",
    [
        ["model.name=cnn"],
        ["model.preset=huge"],
        ["model.options.width=3"],
        ["model.name=vit", "model.options.num_heads=3"],
        ["model.name=vit", "model.options.num_heads=0"],
        ["model.name=vit", "model.options.patch_size=4"],
        ["model.name=vit", "model.options.patch_size=[0, 4]"],
        ["model.options.widths=[]"],
        ["model.options.widths=[0, 4]"],
        ["model.options.kernel_size=4"],
        ["model.options.compression=root"],
        ["model.name=vit", "model.options.compression=root"],
        ["model.options.bands=0"],
        ["model.options.bands=5000"],
        ['model.options.bands="many"'],
    ],
)
def test_impossible_net_is_one_sentence(options: list[str]) -> None:
    with pytest.raises(DemixError, match="model"):
        build_net(load_config(None, options))


def test_same_seed_same_weights() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(build_net(Config()).state_dict())
    for key in weights[0]:
        np.testing.assert_array_equal(weights[0][key].numpy(), weights[1][key].numpy())
