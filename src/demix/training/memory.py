"""The memory of a training step on a GPU, computed from shapes and counted tensor by tensor, where no GPU is needed.

What is meant is `torch.cuda.max_memory_allocated`: the bytes of all tensors that are alive at once, each rounded up as
PyTorch's allocator does. Not in it are the workspaces that cuDNN, cuBLAS and cuFFT take for themselves, gaps in the
allocator's memory and the CUDA context, together some hundred MB: leave room for them.

Both ways run the engine's own code on fake tensors, which have a shape and a type and no numbers: that takes seconds
and next to no memory, for any batch. They pass for tensors of a CPU, with these rules of a GPU:

- Autocast. On both, convolutions, linear layers, matrix products and attention take half precision. A GPU computes
  `group_norm` and `layer_norm` in float32, a CPU does not; a float32 copy then waits for the backward pass. (A GPU does
  the same with softmax, sums, logarithms and powers, which the nets have outside autocast alone.) What is on neither
  list, GELU say, goes on in the type that it is given.
- Attention. PyTorch's flash attention needs sm_80, its memory-efficient attention sm_50; cards between have the latter.
  It keeps queries, keys, values, the output and a number for each query, as the fused kernel of a CPU does, which stands
  for it here. Where neither can be used, all attention weights are kept, in float32: `speed.flash_attention=false`.
- Sums over bands are matrix products, and cuFFT's inverse transform gets a copy that it may destroy.
"""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from demix import config
from demix.data.segments import segment_samples
from demix.training import band_loss, speed
from demix.training.engine import Engine

BLOCK = 512  # bytes that an allocation on a GPU is rounded up to (kMinBlockSize of CUDACachingAllocator)
GIB = 2**30
_ATEN = torch.ops.aten
# What a step asks of numbers, which fake tensors have not: torch.istft whether its windows leave a gap, and the scaler
# of gradients how many are not finite.
_ANSWERS = {_ATEN.equal.default: False, _ATEN._local_scalar_dense.default: 0.0}


class LiveBytes(TorchDispatchMode):
    """Follows every storage from the operation that made it until nothing holds it, autograd included.

    Args:
        tensors: what there is already.

    Attributes:
        now: bytes alive.
        peak: the most bytes that were alive after an operation.
    """

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}
        self._watch(tensors)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and look at what came out."""
        if func in _ANSWERS and isinstance(args[0], FakeTensor):
            return _ANSWERS[func]
        result = func(*args, **(kwargs or {}))
        self._watch(leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        if func is _ATEN._fft_c2r.default:
            self.peak = max(self.peak, self.now + _bytes(args[0]))
        return result

    def _watch(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._sizes:
                self._sizes[key] = _bytes(tensor)
                self.now += self._sizes[key]
                weakref.finalize(storage, self._forget, key).atexit = False
        self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def count_step_memory(settings: config.Config, *, fake: bool = True) -> int:
    """Return the most bytes that are alive at once in the second step of an engine, as a GPU would allocate them.

    Two pieces of the batch are taken, beside the stems of all of it: with the second there are gradients from the
    first, and more of them change nothing.

    Args:
        settings: of the run; what `torch.compile` would save is not seen.
        fake: use fake tensors. Real ones give the same number, slowly.

    Raises:
        DemixError: for a net that cannot be built.
    """
    data = settings.data
    with _engine(settings, fake=fake) as engine:
        live = LiveBytes([*_tensors(engine.net), *_tensors(engine.ema), engine.bands.index, engine.bands.matrix])
        with live:
            stems = torch.randn(data.batch_size, len(config.STEMS), config.CHANNELS, segment_samples(data))
            for step in range(2):
                engine.step(stems[: 2 * _segments_at_once(settings)], step)
    return live.peak


def compute_step_memory(settings: config.Config) -> dict[str, int]:
    """Return the bytes of what is alive when a step needs most, by name; their sum is the whole.

    Weights and what belongs to each of them are numbers of parameters times bytes. What the forward pass keeps for the
    backward pass is asked of autograd (`torch.autograd.graph.saved_tensors_hooks`, each storage once), for one and for
    two segments: what grows are activations, what does not are weights in half precision. On top comes the larger of
    two things that exist for a moment: the spectra of the loss, or in the backward pass the gradients beside the
    largest tensor, with `checkpoint_activations` also all that the largest block computes again.

    Args:
        settings: of the run.

    Raises:
        DemixError: for a net that cannot be built.
    """
    thin = settings.speed.checkpoint_activations
    segments = _segments_at_once(settings)
    with _engine(replace(settings, speed=replace(settings.speed, checkpoint_activations=False))) as engine:
        parameters = sum(_bytes(value) for value in engine.net.parameters())
        weights = sum(_bytes(value) for value in _tensors(engine.net))
        one, two = (_saved_by_forward(engine, count) for count in (1, 2))
    kept = two.outside - one.outside if thin else two.everything - one.everything
    fixed = (one.outside if thin else one.everything) - kept
    again = two.block - one.block if thin else 0
    moment = max(_loss_bytes(settings), again + 2 * (two.largest - one.largest))
    stems = 4 * len(config.STEMS) * config.CHANNELS * segment_samples(settings.data) * settings.data.batch_size
    return {
        "weights": weights,
        "their moving average": weights,
        "their gradients": parameters,
        "AdamW's two moments": 2 * parameters,
        "weights in half precision": fixed,
        "stems of the batch": stems,
        "activations": segments * kept,
        "loss, or a block computed again": segments * moment,
    }


@dataclass(frozen=True)
class _Saved:
    """Bytes that a forward pass of the net keeps for the backward pass, parameters aside.

    Args:
        everything: all of them.
        outside: those from outside the blocks that can be checkpointed, with what goes into the blocks.
        block: the most that one block keeps.
        largest: the largest tensor.
    """

    everything: int
    outside: int
    block: int
    largest: int


def _saved_by_forward(engine: Engine, segments: int) -> _Saved:
    settings, net = engine.settings, engine.net
    own = {value.untyped_storage()._cdata for value in _tensors(net)}
    kept: dict[nn.Module | None, dict[int, Tensor]] = {None: {}}  # by block; tensors are held, so that no key comes twice
    inside: list[nn.Module | None] = [None]

    def keep(tensor: Tensor, where: nn.Module | None) -> Tensor:
        if (key := tensor.untyped_storage()._cdata) not in own:
            kept.setdefault(where, {})[key] = tensor
        return tensor

    def enter(block: nn.Module, given: tuple[Any, ...]) -> None:
        inside[0] = block
        for value in given:
            if isinstance(value, Tensor):
                keep(value, None)

    def leave(*_: object) -> None:
        inside[0] = None

    names: Any = net.CHECKPOINTED
    blocks: list[nn.Module] = [block for name in names for block in cast(nn.ModuleList, getattr(net, name))]
    handles = [block.register_forward_pre_hook(enter) for block in blocks]
    handles += [block.register_forward_hook(leave) for block in blocks]
    bins = cast(int, net.features.bins)
    frames = 1 + segment_samples(settings.data) // settings.spectral.hop_length
    mixture = torch.empty(segments, config.CHANNELS, bins, frames, 2)
    with (
        speed.autocast(settings.speed.precision, engine.device),
        speed.attention(settings.speed.flash_attention),
        torch.autograd.graph.saved_tensors_hooks(lambda tensor: keep(tensor, inside[0]), lambda tensor: tensor),
    ):
        net(mixture, by_band=True)
    for handle in handles:
        handle.remove()
    outside = kept.pop(None)
    everything = outside | {key: tensor for block in kept.values() for key, tensor in block.items()}
    return _Saved(
        everything=sum(map(_bytes, everything.values())),
        outside=sum(map(_bytes, outside.values())),
        block=max((sum(map(_bytes, block.values())) for block in kept.values()), default=0),
        largest=max(map(_bytes, everything.values())),
    )


def _loss_bytes(settings: config.Config) -> int:
    """Return what a segment has of spectra and waveforms while the masked mixture is transformed back.

    In spectra of one channel, complex; a real one is half, a waveform `hop_length / n_fft` of one:

    - four for each stem: its spectrum, the masked mixture, the inverse transform before and after its window; and two
      real ones: its power, its mask by bin; and two waveforms;
    - two for each channel: the mixture's spectrum, and the same as the net's input; and one and a half for the channel
      that is compared: the mixture's spectrum again, its power.
    """
    spectral, stems = settings.spectral, len(config.STEMS)
    frames = 1 + segment_samples(settings.data) // spectral.hop_length
    spectrum = 8 * (spectral.n_fft // 2 + 1) * frames
    waveforms = 2 * stems * 4 * segment_samples(settings.data)
    return int((5 * stems + 2 * config.CHANNELS + 1.5) * spectrum) + waveforms


class _NormsInFloat32(TorchFunctionMode):
    """Under autocast, norms take float32, as they do on a GPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Convert the input of a norm."""
        if func in (torch.group_norm, torch.layer_norm) and torch.is_autocast_enabled("cpu"):
            args = (args[0].float(), *args[1:])
        return func(*args, **(kwargs or {}))


class _BandsOnGpu(band_loss.Bands):
    """Sums over bands as on a GPU."""

    def sum(self, values: Tensor) -> Tensor:
        """Sum by a matrix product."""
        return self.matrix @ values


@contextmanager
def _engine(settings: config.Config, *, fake: bool = True) -> Iterator[Engine]:
    """Give an engine that follows the rules of a GPU, its tensors fake if asked for."""
    with torch.random.fork_rng(devices=[]):
        engine = Engine(replace(settings, speed=replace(settings.speed, compile=False)), device=torch.device("cpu"))
    band_loss._constants.cache_clear()  # what is real must not meet what is fake, neither now nor later
    try:
        with (mode := FakeTensorMode()) if fake else nullcontext(), _NormsInFloat32():
            if fake:
                for module in (*engine.net.modules(), *engine.ema.modules()):
                    for table in cast(list[dict[str, Any]], (module._parameters, module._buffers)):
                        table.update({name: mode.from_tensor(value) for name, value in table.items() if value is not None})
                engine.optimiser.param_groups[0]["params"] = list(engine.net.parameters())
            features, head = cast(Any, engine.net).features, cast(Any, engine.net).head
            bands = band_loss.bands_of(features, head)
            engine.bands = _BandsOnGpu(bands.index, bands.matrix)
            yield engine
    finally:
        band_loss._constants.cache_clear()


def _segments_at_once(settings: config.Config) -> int:
    return min(settings.speed.micro_batch or settings.data.batch_size, settings.data.batch_size)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]


def _bytes(tensor: Tensor) -> int:
    return -(-tensor.untyped_storage().nbytes() // BLOCK) * BLOCK
