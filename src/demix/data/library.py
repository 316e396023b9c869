"""Where prepared data sets lie, and how one gets there."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from demix import config
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


def open_training(data: config.Data, *, on_event: Callable[[PrepareEvent], None] | None = None) -> list[StoredTrack]:
    """Return all songs that a run needs: those of `data.dataset`, and the train songs of every set in `data.also`.

    A song of another set is called `<set>/<song>` in a run's record.

    Raises:
        DemixError: as `open_prepared`, for two sets of one name, or a further set without train songs.
    """
    labels: dict[str, str] = {}
    for name in (data.dataset, *data.also):
        label = dataset_label(name)
        if label in labels:
            raise DemixError(f"data.also: {labels[label]} and {name} are both called {label}; rename one of them")
        labels[label] = name
    tracks = open_prepared(data.dataset, on_event=on_event)
    for name in data.also:
        more = [track for track in open_prepared(name, on_event=on_event) if track.split == "train"]
        if not more:
            raise DemixError(f"data.also: {name}: expected songs in split train, received none; put them into train/")
        label = dataset_label(name)
        tracks += [replace(track, name=f"{label}/{track.name}", dataset=name) for track in more]
    return tracks
