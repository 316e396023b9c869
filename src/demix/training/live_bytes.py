"""Counts the bytes of all tensors that are alive, operation by operation, on any device and of fake tensors."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

BLOCK = 512  # bytes that an allocation on a GPU is rounded up to (kMinBlockSize of PyTorch's CUDACachingAllocator)
_ATEN = torch.ops.aten
# What a step asks of numbers, which fake tensors have not: torch.istft whether its windows leave a gap, and the scaler
# of gradients how many are not finite.
_ANSWERS = {_ATEN.equal.default: False, _ATEN._local_scalar_dense.default: 0.0}


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every storage from the operation that made it until nothing holds it, autograd included.

    What an operation takes for itself while it runs is not seen, but for the copy that cuFFT's inverse transform gets
    because it destroys what it is given.

    Args:
        tensors: what there is already.

    Attributes:
        now: bytes alive.
        peak: the most bytes that were alive at once.

    Example:
        >>> with LiveBytes() as live:
        ...     torch.ones(1000).square().sum()
        >>> live.peak
        8192
    """

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
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
            self.peak = max(self.peak, self.now + allocated_bytes(args[0]))
        return result

    def _watch(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._sizes:
                self._sizes[key] = allocated_bytes(tensor)
                self.now += self._sizes[key]
                weakref.finalize(storage, self._forget, key).atexit = False
        self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def allocated_bytes(tensor: Tensor) -> int:
    """Return what a GPU would allocate for the memory that a tensor, or what it is a view of, lies in."""
    return -(-tensor.untyped_storage().nbytes() // BLOCK) * BLOCK
