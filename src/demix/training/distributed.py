"""Several processes that train one net together, as torchrun starts them: one for each GPU, or on CPUs.

    torchrun --nproc-per-node 2 -m demix train CONFIG

Every process (a rank) takes its own share of each batch; `torch.nn.parallel.DistributedDataParallel` adds up the
gradients. Rank 0 alone prepares songs, writes the run folder and shows progress.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import distributed

from demix.errors import DemixError

PATIENCE = timedelta(hours=2)  # how long ranks wait for the one that prepares songs; torchrun sees those that died
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is; one alone by default.

    Args:
        rank: number of this process; 0 is the one that writes.
        size: number of processes.
        local: number of this process on its machine, and of its GPU.
        restarts: how often torchrun has started all of them anew.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    restarts: int = 0

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Return which of `count` things fall to this process."""
        return range(self.rank, count, self.size)

    def first(self, work: Callable[[], T]) -> T:
        """Do something in rank 0 alone and return what came out in every rank.

        Raises:
            DemixError: in rank 0, which says it; the others end in silence with the same status.
        """
        outcome = [self._in(self.main, work)]
        if self.size > 1:
            distributed.broadcast_object_list(outcome, src=0)
        return cast(T, outcome[0])

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do something in rank 0, then in the first rank of every other machine, then in the rest.

        For what the first finds to do and the others find done, whether machines share a disk or not.
        """
        outcomes = [
            self._in(mine, work)
            for mine in (self.main, self.local == 0 and not self.main, self.local > 0)
            if mine or self.size > 1
        ]
        return next(outcome for outcome in outcomes if outcome is not None)

    def _in(self, mine: bool, work: Callable[[], T]) -> T | None:
        """Do something where it is `mine`; where one rank fails all end, and that one says why."""
        outcome, error = None, None
        if mine:
            try:
                outcome = work()
            except DemixError as caught:
                error = caught
        failed = any(self.gather(error is not None))
        if error is not None:
            raise error
        if failed:
            raise SystemExit(2)
        return outcome

    def gather(self, value: T) -> list[T]:
        """Return the value that every rank gives, in their order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


ALONE = Ranks()


def check_share(ranks: Ranks, batch_size: int) -> None:
    """Raise `DemixError` when there are fewer segments in a batch than processes to share them."""
    if ranks.size > batch_size:
        raise DemixError(
            f"data.batch_size: expected at least {ranks.size}, one segment for each process, received {batch_size}; "
            "raise it or start fewer processes"
        )


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes if torchrun has started this one; else be alone.

    Args:
        device: where nets are trained: `auto`, `cpu`, `cuda`.
    """
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    local = int(os.environ["LOCAL_RANK"])
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        if local >= torch.cuda.device_count():
            raise DemixError(
                f"--nproc-per-node: expected at most {torch.cuda.device_count()}, one process for each GPU, received "
                f"{os.environ['LOCAL_WORLD_SIZE']}; lower it"
            )
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    try:
        yield Ranks(rank, size, local, int(os.environ["TORCHELASTIC_RESTART_COUNT"]))
    except RuntimeError as error:
        if "closed by peer" not in str(error) and "reset by peer" not in str(error):
            raise
        raise DemixError(f"process {rank} of {size}: lost another process, which says why it ended") from error
    finally:
        distributed.destroy_process_group()


def mean(values: Sequence[float]) -> float:
    """Return the mean of values that ranks have gathered."""
    return sum(values) / len(values)
