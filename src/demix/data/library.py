"""Where prepared data sets lie, and how one gets there."""

import os
from collections.abc import Callable
from pathlib import Path

from demix.data import DATASETS, RAW, dataset_label, open_dataset
from demix.data.store import INDEX, PrepareEvent, open_store, prepare
from demix.data.stored import StoredTrack
from demix.errors import DemixError

PROCESSED = Path("data/processed")


def store_folder(dataset: str) -> Path:
    """Return where a data set is prepared: `data/processed/` and its name, or that of its folder.

    Two folders of one name take turns there: `prepare` lists the songs of the one it was called for, no others.
    """
    return PROCESSED / dataset_label(dataset)


def open_prepared(dataset: str, *, on_event: Callable[[PrepareEvent], None] | None = None) -> list[StoredTrack]:
    """Return a data set's prepared songs, preparing first what is missing or has changed.

    A set whose raw files are not on this machine is taken as it was prepared.

    Args:
        dataset: a data set's name or a folder of songs.
        on_event: told about every song as it is prepared.

    Raises:
        DemixError: when there is neither a raw nor a prepared set of that name, or a song cannot be read.
    """
    folder = store_folder(dataset)
    if dataset in DATASETS and not (RAW / dataset).exists() and dataset != "free" and (folder / INDEX).is_file():
        return open_store(folder)
    tracks = open_dataset(dataset)
    result = prepare(tracks, folder, jobs=min(len(tracks), os.cpu_count() or 1), on_event=on_event)
    if result.failed:
        name, reason = next(iter(result.failed.items()))
        more = f" ({len(result.failed)} songs in all)" if len(result.failed) > 1 else ""
        raise DemixError(f"{name}: cannot be prepared{more}: {reason}")
    return open_store(folder)
