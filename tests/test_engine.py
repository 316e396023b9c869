"""The training step: every way to make it fast gives the numbers of the plain one."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from demix.config import Config, Loss, Spectral, load_config
from demix.errors import DemixError
from demix.models import MODELS, apply_mask_function, build_net
from demix.models.masknet import spread
from demix.models.stft import stft
from demix.training import engine as engine_module
from demix.training import speed
from demix.training.band_loss import MaskedWaveform, band_loss, bands_of
from demix.training.engine import Engine, update_average
from demix.training.losses import separation_loss
from demix.training.plain import plain_loss, plain_step

CPU = torch.device("cpu")
Settings = Callable[..., list[str]]


@pytest.fixture(scope="module")
def batch(song_excerpt: np.ndarray) -> torch.Tensor:
    """Four half seconds of music; in one a stem rests, another is digital silence."""
    pieces = [song_excerpt[..., start : start + 22_050] for start in (0, 50_000, 100_000, 150_000)]
    stems = torch.from_numpy(np.stack(pieces))
    stems[1, 2] = 0
    stems[2] = 0
    return stems


def gradients(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.grad.flatten() for value in net.parameters() if value.grad is not None])


@pytest.mark.parametrize("loss", [Loss(1, 0), Loss(0, 1), Loss(0, 0, 1), Loss(0.1, 0.1)])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("mask", ["softmax", "sigmoid"])
def test_loss_by_band_is_the_loss_and_so_are_its_gradients(
    name: str, mask: str, loss: Loss, batch: torch.Tensor
) -> None:
    torch.manual_seed(0)
    net = build_net(load_config(None, [f"model.name={name}"])).double()
    bands = bands_of(net.features, net.head)  # type: ignore[arg-type]
    stems = batch[:, :, 0].double()
    spectra = torch.stack([stft(stem.float(), n_fft=4096, hop_length=1024) for stem in stems]).to(torch.complex128)
    logits = torch.randn(4, 4, 192, spectra.shape[-1], dtype=torch.float64, requires_grad=True)
    wide = apply_mask_function(spread(logits, bands.index), mask)
    expected = separation_loss(wide, spectra, stems, loss=loss, spectral=Spectral())
    (wanted,) = torch.autograd.grad(expected, logits)
    got = band_loss(apply_mask_function(logits, mask), spectra, stems, bands=bands, loss=loss, spectral=Spectral())
    (gradient,) = torch.autograd.grad(got, logits)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6 * float(wanted.abs().max()))


@pytest.mark.parametrize("n_fft", [64, 63])
def test_gradient_of_the_masked_waveform_is_the_numerical_one(n_fft: int) -> None:
    hop_length, samples = n_fft // 7 if n_fft % 2 else n_fft // 4, 300
    net = build_net(load_config(None, ["spectral.n_fft=64", "spectral.hop_length=16", "model.options.bands=12"]))
    bands = bands_of(net.features, net.head)  # type: ignore[arg-type]
    index = bands.index[: n_fft // 2 + 1]
    bands = type(bands)(index, torch.nn.functional.one_hot(index, 12).T.double())
    wave = torch.randn(2, samples, dtype=torch.float64)
    mixture = torch.stft(
        wave,
        n_fft,
        hop_length,
        window=torch.hann_window(n_fft, dtype=torch.float64),
        pad_mode="constant",
        return_complex=True,
    )
    masks = torch.rand(2, 3, 12, mixture.shape[-1], dtype=torch.float64, requires_grad=True)
    spectral = Spectral(n_fft, hop_length)
    assert torch.autograd.gradcheck(
        lambda m: MaskedWaveform.apply(m, mixture, bands, spectral, samples), masks, eps=1e-3, atol=1e-5, rtol=1e-3
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_is_the_plain_step(name: str, step: int, nano_settings: Settings, batch: torch.Tensor) -> None:
    settings = load_config(None, nano_settings(name, "data.batch_size=4"))
    engine = Engine(settings, device=CPU)
    torch.manual_seed(0)
    net = build_net(settings)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=settings.training.weight_decay)
    expected = plain_step(net, optimiser, batch, settings=settings, step=step)
    torch.testing.assert_close(engine.step(batch, step), expected, rtol=1e-5, atol=1e-5)
    ours, theirs = gradients(engine.net), gradients(net)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-4
    for mine, other in zip(engine.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


EXACT = {  # switch -> largest relative difference of the gradient, float32 rounding in another order
    "speed.channels_last=true": 1e-4,
    "speed.flash_attention=false": 1e-4,
    "speed.fused_optimiser=false": 0,
    "speed.micro_batch=1": 1e-4,
    "speed.micro_batch=3": 1e-4,
    "speed.checkpoint_activations=true": 1e-6,
    "speed.checkpoint_activations=true speed.flash_attention=false speed.micro_batch=2": 1e-4,
    "speed.precision=tf32": 1e-6,
}


def step_once(settings: Config, batch: torch.Tensor) -> tuple[Engine, float]:
    engine = Engine(settings, device=CPU)
    return engine, float(engine.step(batch, 0))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("switch", EXACT)
def test_every_switch_gives_the_same_step(name: str, switch: str, nano_settings: Settings, batch: torch.Tensor) -> None:
    base, loss = step_once(load_config(None, nano_settings(name, "data.batch_size=4")), batch)
    other, same = step_once(load_config(None, nano_settings(name, "data.batch_size=4", *switch.split())), batch)
    assert same == pytest.approx(loss, abs=1e-5)
    difference = (gradients(other.net) - gradients(base.net)).norm() / gradients(base.net).norm()
    assert float(difference) <= EXACT[switch]
    for pair in zip(other.net.state_dict().values(), base.net.state_dict().values(), strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_points_the_same_way_and_keeps_weights_and_loss_exact(
    name: str, precision: str, nano_settings: Settings, batch: torch.Tensor
) -> None:
    more = ("data.batch_size=4", "model.phase=true")
    base, loss = step_once(load_config(None, nano_settings(name, *more)), 30 * batch)
    settings = load_config(None, nano_settings(name, *more, f"speed.precision={precision}"))
    half, same = step_once(settings, 30 * batch)  # loud: the power of its spectrum is beyond float16
    assert same == pytest.approx(loss, abs=0.05)
    assert all(value.dtype == torch.float32 for value in half.net.parameters())
    assert half.scaler.is_enabled() == (precision == "float16")
    assert float(cosine_similarity(gradients(half.net), gradients(base.net), dim=0)) > 0.98
    assert float(gradients(half.net).norm()) == pytest.approx(float(gradients(base.net).norm()), rel=0.1)


def test_half_precision_reaches_the_products(nano_settings: Settings, batch: torch.Tensor) -> None:
    engine = Engine(load_config(None, nano_settings("vit", "speed.precision=bfloat16")), device=CPU)
    seen: list[torch.dtype] = []
    engine.net.blocks[0].qkv.register_forward_hook(lambda *found: seen.append(found[2].dtype))  # type: ignore[index,union-attr]
    features: list[torch.dtype] = []
    engine.net.features.register_forward_hook(lambda *found: features.append(found[2].dtype))  # type: ignore[union-attr]
    engine.step(batch[:2], 0)
    assert (seen, features) == ([torch.bfloat16], [torch.float32])


def test_a_step_that_overflows_in_float16_is_left_out_and_the_scale_falls(
    nano_settings: Settings, batch: torch.Tensor
) -> None:
    engine = Engine(load_config(None, nano_settings("unet", "speed.precision=float16")), device=CPU)
    engine.step(batch[:2], 0)
    before = {key: value.clone() for key, value in engine.net.state_dict().items()}
    engine.scaler._scale = torch.tensor(1e38)  # what is scaled by this leaves float32
    engine.step(batch[:2], 1)
    assert all(torch.equal(value, before[key]) for key, value in engine.net.state_dict().items())
    assert engine.scaler.get_scale() < 1e38


@pytest.mark.parametrize("name", MODELS)
def test_checkpointing_keeps_less(name: str, batch: torch.Tensor) -> None:
    saved = []
    for switch in ("false", "true"):
        settings = load_config(None, [f"model.name={name}", f"speed.checkpoint_activations={switch}"])
        engine = Engine(settings, device=CPU)
        kept: set[tuple[int, int]] = set()

        def note(value: torch.Tensor, kept: set[tuple[int, int]] = kept) -> torch.Tensor:
            kept.add((value.untyped_storage().data_ptr(), value.untyped_storage().nbytes()))
            return value

        spectrum = torch.view_as_real(stft(batch.sum(dim=1), n_fft=4096, hop_length=1024))
        with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
            logits = engine.net(spectrum, by_band=True)
        saved.append(sum(size for _, size in kept))
        del logits
    assert saved[1] < 0.8 * saved[0]


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own import
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
def test_compiled_net_gives_the_same_step(nano_settings: Settings, batch: torch.Tensor) -> None:
    base, loss = step_once(load_config(None, nano_settings("vit", "data.batch_size=4")), batch)
    other, same = step_once(load_config(None, nano_settings("vit", "data.batch_size=4", "speed.compile=true")), batch)
    assert same == pytest.approx(loss, abs=1e-5)
    assert float((gradients(other.net) - gradients(base.net)).norm() / gradients(base.net).norm()) < 1e-4


def test_too_little_memory_is_one_sentence_with_the_remedy(
    nano_settings: Settings, batch: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    engine = Engine(load_config(None, nano_settings("unet", "speed.micro_batch=3")), device=CPU)
    monkeypatch.setattr(engine_module, "band_loss", fill)
    with pytest.raises(DemixError, match=r"^cpu: too little memory .* set speed\.micro_batch below 3, or"):
        engine.step(batch, 0)


def test_loss_of_pieces_counts_each_segment_once(nano_settings: Settings, batch: torch.Tensor) -> None:
    settings = load_config(None, nano_settings("unet", "data.batch_size=4", "speed.micro_batch=3"))
    engine = Engine(settings, device=CPU)
    with torch.no_grad():
        losses = [float(plain_loss(engine.net, item[None], settings=settings, step=0)) for item in batch]
    assert float(engine.step(batch, 0)) == pytest.approx(np.mean(losses), abs=1e-4)


def test_average_moves_by_its_decay_and_copies_counters() -> None:
    old, new = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        new.weight.fill_(3)
        new.num_batches_tracked.fill_(7)
        new.running_mean.fill_(1)  # type: ignore[union-attr]
    update_average(old, new, decay=0.75)
    assert old.weight.tolist() == [1.5] * 3
    assert old.running_mean.tolist() == [0.25] * 3  # type: ignore[union-attr]
    assert int(old.num_batches_tracked) == 7  # type: ignore[arg-type]


def test_products_round_to_tf32_only_where_asked_to() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        for precision, rounded in (("float32", False), ("tf32", True), ("bfloat16", True)):
            speed.set_matrix_precision(precision)
            assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is rounded
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
