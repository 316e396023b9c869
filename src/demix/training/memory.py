"""The memory of a training step on a GPU, computed from shapes and counted tensor by tensor, where no GPU is needed.

What is meant is `torch.cuda.max_memory_allocated`: the bytes of all tensors that are alive at once. Not in it are the
workspaces that cuDNN, cuBLAS and cuFFT take, gaps in the allocator's memory and the CUDA context, together some hundred
MB: leave room for them.

Both ways run the engine's own code on fake tensors, which have a shape and a type and no numbers: that takes seconds
and next to no memory, for any batch. They pass for tensors of a CPU, with these rules of a GPU:

- Autocast. On both, convolutions, linear layers, matrix products and attention take half precision. A GPU computes
  `group_norm` and `layer_norm` in float32, a CPU does not; a float32 copy then waits for the backward pass. (A GPU does
  the same with softmax, sums, logarithms and powers, which the nets have in float32 anyway.) What is on neither list,
  GELU say, goes on in the type that it is given. (`AT_FORALL_FP32` in PyTorch's `ATen/autocast_mode.h`.)
- Attention. PyTorch's flash attention needs sm_80, its memory-efficient attention sm_50 (`sdp_utils.cpp`). The latter
  keeps queries, keys, values, the output and one number for each query, as does the fused kernel of a CPU, which stands
  for it here. Where neither can be used, all attention weights are kept, in float32: `speed.flash_attention=false`.
- Sums over bands are matrix products.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from demix import config
from demix.data.segments import segment_samples
from demix.models.masknet import Features, Head
from demix.training import band_loss, speed
from demix.training.engine import Engine
from demix.training.live_bytes import LiveBytes, allocated_bytes


def count_step_memory(settings: config.Config, *, fake: bool = True) -> int:
    """Return the most bytes that are alive at once in a step of the engine, as a GPU would allocate them.

    Two pieces of the batch are taken, beside the stems of all of it: with the second there are gradients from the
    first, and more of them change nothing. A step before, with one segment, makes AdamW's state.

    Args:
        settings: of the run; it is not compiled, and what that would save is not seen.
        fake: use fake tensors. Real ones give the same number, slowly.

    Raises:
        DemixError: for a net that cannot be built.
    """
    data = settings.data
    with _engine(settings, fake=fake) as engine:
        live = LiveBytes([*_tensors(engine.net), *_tensors(engine.ema), engine.bands.index, engine.bands.matrix])
        with live:
            stems = torch.randn(data.batch_size, len(config.STEMS), config.CHANNELS, segment_samples(data))
            for step, taken in enumerate((1, 2 * _segments_at_once(settings))):
                engine.step(stems[:taken], step)
    return live.peak


def compute_step_memory(settings: config.Config) -> dict[str, int]:
    """Return the bytes of what is alive when a step needs most, by name; their sum is the whole.

    Weights and what belongs to each of them are numbers of parameters times bytes. What the forward pass keeps for the
    backward pass is asked of autograd (`torch.autograd.graph.saved_tensors_hooks`, each storage once), for one and for
    two segments: what grows are activations, what does not are weights in half precision. On top comes the larger of
    two things that exist for a moment: the spectra of the loss, or in the backward pass two gradients of the largest
    tensor, with `checkpoint_activations` also all that the largest block computes again.

    Args:
        settings: of the run.

    Raises:
        DemixError: for a net that cannot be built.
    """
    thin = settings.speed.checkpoint_activations
    segments = _segments_at_once(settings)
    with _engine(replace(settings, speed=replace(settings.speed, checkpoint_activations=False))) as engine:
        parameters = sum(map(allocated_bytes, engine.net.parameters()))
        weights = sum(map(allocated_bytes, _tensors(engine.net)))
        one, two = (_saved_by_forward(engine, count) for count in (1, 2))
    first, second = (one.thin, two.thin) if thin else (one.everything, two.everything)
    kept = second - first
    again = two.block - one.block if thin else 0
    moment = max(_loss_bytes(settings), again + 2 * (two.largest - one.largest))
    stems = 4 * len(config.STEMS) * config.CHANNELS * segment_samples(settings.data) * settings.data.batch_size
    return {
        "weights": weights,
        "moving average": weights,
        "gradients": parameters,
        "AdamW's moments": 2 * parameters,
        "weights in half precision": first - kept,
        "stems of the batch": stems,
        "activations": segments * kept,
        "loss or backward pass, for a moment": segments * moment,
    }


@dataclass(frozen=True)
class _Saved:
    """Bytes that a forward pass of the net keeps for the backward pass, parameters aside.

    Args:
        everything: all of them.
        thin: with checkpoints: those from outside the blocks, and what goes into the blocks.
        block: the most that one block keeps.
        largest: the largest tensor.
    """

    everything: int
    thin: int
    block: int
    largest: int


def _saved_by_forward(engine: Engine, segments: int) -> _Saved:
    settings, net = engine.settings, engine.net
    own = {value.untyped_storage()._cdata for value in _tensors(net)}
    # By storage; the tensors are held, so that no storage comes in another's place.
    outside: dict[int, Tensor] = {}
    entering: dict[int, Tensor] = {}
    inside: list[dict[int, Tensor]] = []  # of each block
    place = [outside]

    def keep(tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage()._cdata
        if key not in own:
            place[0][key] = tensor
        return tensor

    def enter(_: nn.Module, given: tuple[Any, ...]) -> None:
        entering.update({value.untyped_storage()._cdata: value for value in given if isinstance(value, Tensor)})
        inside.append({})
        place[0] = inside[-1]

    def leave(*_: object) -> None:
        place[0] = outside

    names: Any = net.CHECKPOINTED
    blocks: list[nn.Module] = [block for name in names for block in cast(nn.ModuleList, getattr(net, name))]
    frames = 1 + segment_samples(settings.data) // settings.spectral.hop_length
    mixture = torch.empty(segments, config.CHANNELS, settings.spectral.n_fft // 2 + 1, frames, 2)
    with (
        ExitStack() as hooks,
        speed.autocast(settings.speed.precision, engine.device),
        speed.attention(settings.speed.flash_attention),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        for block in blocks:
            hooks.enter_context(block.register_forward_pre_hook(enter))
            hooks.enter_context(block.register_forward_hook(leave))
        net(mixture, by_band=True)
    everything = outside | {key: tensor for block in inside for key, tensor in block.items()}
    return _Saved(
        everything=_total(everything),
        thin=_total(outside | entering),
        block=max(map(_total, inside), default=0),
        largest=max(map(allocated_bytes, everything.values())),
    )


def _loss_bytes(settings: config.Config) -> int:
    """Return what a segment has of spectra and waveforms while the masked mixture is transformed back.

    In spectra of one channel, complex; a real one is half of one:

    - for each stem five: its spectrum, the masked mixture, the inverse transform before and after the window, and two
      real ones, its power and its mask by bin; and two waveforms;
    - for each channel two: the mixture's spectrum, and the same as the net's input;
    - for the channel that is compared one and a half: the mixture's spectrum again, and its power.
    """
    spectral, stems, samples = settings.spectral, len(config.STEMS), segment_samples(settings.data)
    spectrum = 8 * (spectral.n_fft // 2 + 1) * (1 + samples // spectral.hop_length)
    return int((5 * stems + 2 * config.CHANNELS + 1.5) * spectrum) + 2 * stems * 4 * samples


class _BandsOnGpu(band_loss.Bands):
    """Sums over bands as on a GPU."""

    def sum(self, values: Tensor) -> Tensor:
        """Sum by a matrix product."""
        return self.matrix @ values


@contextmanager
def _engine(settings: config.Config, *, fake: bool = True) -> Iterator[Engine]:
    """Give an engine that follows the rules of a GPU, its tensors fake if asked for."""
    # An optimiser in many kernels has tensors of its own, but only once the activations are gone.
    simple = replace(settings.speed, compile=False, fused_optimiser=True)
    with torch.random.fork_rng(devices=[]):
        engine = Engine(replace(settings, speed=simple), device=torch.device("cpu"))
    band_loss._constants.cache_clear()  # what is real must not meet what is fake, neither now nor later
    try:
        with (mode := FakeTensorMode()) if fake else nullcontext():
            if fake:
                for module in (*engine.net.modules(), *engine.ema.modules()):
                    for table in cast(list[dict[str, Any]], (module._parameters, module._buffers)):
                        table.update(
                            {name: mode.from_tensor(value) for name, value in table.items() if value is not None}
                        )
                engine.optimiser.param_groups[0]["params"] = list(engine.net.parameters())
            bands = band_loss.bands_of(cast(Features, engine.net.features), cast(Head, engine.net.head))
            engine.bands = _BandsOnGpu(bands.index, bands.matrix)
            for module in engine.net.modules():
                if isinstance(module, nn.GroupNorm | nn.LayerNorm):
                    module.register_forward_pre_hook(_in_float32)
            yield engine
    finally:
        band_loss._constants.cache_clear()


def _in_float32(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Convert what a norm is given, where there is autocast."""
    return tuple(value.float() for value in given) if torch.is_autocast_enabled("cpu") else given


def _segments_at_once(settings: config.Config) -> int:
    return min(settings.speed.micro_batch or settings.data.batch_size, settings.data.batch_size)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]


def _total(tensors: dict[int, Tensor]) -> int:
    return sum(map(allocated_bytes, tensors.values()))
