"""Several processes that train one net together, as torchrun starts them: one for each GPU, or on CPUs.

    torchrun --nproc-per-node 2 -m demix train CONFIG

Every process (a rank) takes its own share of each batch; `torch.nn.parallel.DistributedDataParallel` adds up the
gradients. Rank 0 alone prepares songs, writes the run folder and shows progress. `meeting.py` is how they find each
other and end.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

# Before there is a group: loaded later, as DDP does, it keeps the group in its functions' defaults, and the group its
# threads while Python ends.
import torch.distributed.nn.functional
from torch import distributed

from demix import config
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.training.meeting import PATIENCE, Meeting, end_in_silence

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is; one alone by default.

    Args:
        rank: number of this process; 0 is the one that writes.
        size: number of processes.
        local: number of this process on its machine, and of its GPU.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

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
            end_in_silence()
        return outcome

    def gather(self, value: T) -> list[T]:
        """Return the value that every rank gives, in their order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def mean(self, value: float, *, count: int) -> float:
        """Return the mean over `count` things of which each rank gives that of its share."""
        values = self.gather(value)
        counts = [len(range(rank, count, self.size)) for rank in range(self.size)]
        return sum(value * share for value, share in zip(values, counts, strict=True)) / count


ALONE = Ranks()


def check_ranks(ranks: Ranks, settings: config.Config, tracks: Sequence[StoredTrack]) -> None:
    """Raise `DemixError` unless every process has a share of each batch, and all have the same settings and songs."""
    if ranks.size > settings.data.batch_size:
        raise DemixError(
            f"data.batch_size: expected at least {ranks.size}, one segment for each process, received "
            f"{settings.data.batch_size}; raise it or start fewer processes"
        )
    songs = [(track.split, track.name, track.samples) for track in tracks]
    for what, values in (("settings", ranks.gather(settings)), ("songs", ranks.gather(songs))):
        other = next((rank for rank, value in enumerate(values) if value != values[0]), None)
        if other is not None:
            raise DemixError(
                f"process {other} of {ranks.size}: expected the {what} of process 0, received others; "
                f"give all machines the same {what}"
            )


@contextmanager
def joined(met: Meeting | None, *, device: str) -> Iterator[Ranks]:
    """Open the ways by which processes that have met exchange gradients; without a meeting be alone.

    Args:
        met: the processes.
        device: where nets are trained: `auto`, `cpu`, `cuda`.
    """
    if met is None:
        yield ALONE
        return
    gpu = None
    if device in ("auto", "cuda") and torch.cuda.is_available():
        if met.local >= torch.cuda.device_count():
            raise DemixError(
                f"--nproc-per-node: expected at most {torch.cuda.device_count()}, one process for each GPU, received "
                f"{os.environ['LOCAL_WORLD_SIZE']}; lower it"
            )
        gpu = torch.device("cuda", met.local)
        torch.cuda.set_device(gpu)
    distributed.init_process_group(
        "nccl" if gpu else "gloo",
        store=met.corner,
        rank=met.rank,
        world_size=met.size,
        timeout=PATIENCE,
        device_id=gpu,
    )
    yield Ranks(met.rank, met.size, met.local)
    distributed.destroy_process_group()  # not after an error: on GPUs it waits for those that are lost
