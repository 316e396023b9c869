"""The stream of a run's batches, on the device that trains, read ahead where that helps."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from demix import config
from demix.data.segments import Draws, Pool, draw_batch, open_pool, segment_samples, take
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.training.distributed import ALONE, Ranks
from demix.training.render import look_up, render, split

READ_AHEAD = 2  # batches that each reading process keeps ready
SHARE_OF_MEMORY = 0.5  # of a GPU's free memory that songs may take; the rest is for the net


@dataclass(frozen=True)
class Reader(Dataset):
    """What this rank takes of every batch, by the batch's number, read from the memory maps.

    It opens them when they are first needed: what travels to another process is where they lie.
    """

    tracks: Sequence[StoredTrack]
    settings: config.Config
    ranks: Ranks

    @cached_property
    def pool(self) -> Pool:
        """The songs, mapped."""
        data = self.settings.data
        return open_pool(self.tracks, segment_samples=segment_samples(data), also=data.also)

    def draw(self, step: int) -> Draws:
        """Draw this rank's share of batch `step`."""
        settings = self.settings
        items = self.ranks.share(settings.data.batch_size)
        seed = settings.training.seed
        return draw_batch(self.pool, data=settings.data, settings=settings.augment, seed=seed, step=step, items=items)

    def __getitem__(self, step: int) -> tuple[Draws, Tensor]:
        """Draw and read."""
        draws = self.draw(step)
        return draws, torch.from_numpy(take(self.pool, draws))


def batches(
    tracks: Sequence[StoredTrack], settings: config.Config, *, device: torch.device, start: int, ranks: Ranks = ALONE
) -> Iterator[Tensor]:
    """Yield the stems of this rank's share of batches `start`, `start + 1` ..., `settings.training.steps` - 1.

    The songs are copied into the device's memory once where the settings allow it and they fit. Otherwise each batch is
    read from the memory maps, by other processes where the settings name some, into pinned memory that a GPU copies
    from in its turn. Both ways make the same batches.

    Args:
        tracks: the songs to learn from.
        settings: all settings of the run.
        device: where the batches shall be.
        start: number of the first batch.
        ranks: the processes that train together.

    Yields:
        Float32 `(items, stems, channels, samples)`.

    Raises:
        DemixError: when no song is as long as a segment, or a reading process was killed.
    """
    reader = Reader(tracks, settings, ranks)
    samples = segment_samples(settings.data)
    steps = range(start, settings.training.steps)
    if settings.speed.resident and _fits(reader.pool, device):
        songs = [torch.tensor(song, device=device) for song in reader.pool.audio]
        for step in steps:
            draws = reader.draw(step)
            yield render(look_up(songs, draws), draws, samples=samples, device=device)
        return
    for draws, taken in _read(Reader(tracks, settings, ranks), steps, device):
        yield render(split(taken.to(device, non_blocking=True), draws), draws, samples=samples, device=device)


def _read(reader: Reader, steps: range, device: torch.device) -> Iterator[tuple[Draws, Tensor]]:
    workers = reader.settings.speed.workers
    loader = DataLoader(
        reader,
        batch_size=None,  # the reader gives whole batches
        sampler=steps,
        num_workers=workers,
        prefetch_factor=READ_AHEAD if workers else None,
        pin_memory=device.type == "cuda",
        # A fork of a process that runs threads may hang; a fork server starts faster than a new interpreter.
        multiprocessing_context=("spawn" if sys.platform == "win32" else "forkserver") if workers else None,
        generator=torch.Generator(),  # the loader draws from it, instead of from the one that nets draw from
    )
    iterator = iter(loader)
    while True:
        try:
            item: tuple[Draws, Tensor] = next(iterator)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise DemixError(
                f"a process that reads songs ahead ended ({str(error).splitlines()[0]}), most often for lack of "
                "memory; lower speed.workers"
            ) from error
        yield item


def _fits(pool: Pool, device: torch.device) -> bool:
    """Tell whether the songs take at most their share of what a GPU has free; a CPU has the memory maps."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return sum(song.nbytes for song in pool.audio) <= SHARE_OF_MEMORY * free
