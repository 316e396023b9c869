"""A run folder: `checkpoints/<run>/` with settings, weights and history, enough to rebuild the net and to go on.

run.json            settings, seed, songs, commit, versions, parameters
history.csv         loss, learning rate and validation SDR by step
last.safetensors    everything needed to go on; previous.safetensors is the one before it
best.safetensors    averaged weights of the best validation, for use
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demix import config, provenance
from demix.data import dataset_label, dataset_licence
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.files import atomic
from demix.runtime import RUN_FILE, read_run_record

# Settings that a resumed run may have otherwise: they change how fast it is, not what is learnt.
_MAY_DIFFER = ("training.device", "training.checkpoint_every", "training.checkpoint_minutes", "speed.")


def open_run(folder: Path, settings: config.Config, *, tracks: Sequence[StoredTrack], resume: bool) -> bool:
    """Check that a run may start in `folder`, or go on there.

    Returns:
        Whether there is a run to go on with.

    Raises:
        DemixError: when the folder holds a run and `resume` is off, or a run with other settings, or other files.
    """
    if not (folder / RUN_FILE).is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DemixError(f"{folder}: expected a new or empty folder, found other files; choose another run name")
        return False
    if not resume:
        raise DemixError(f"{folder}: holds a run already; go on with it by --resume or choose another run name")
    # A setting that the run's demix did not know yet has its default.
    recorded = config.from_dict(read_run_record(folder)["config"], where=str(folder / RUN_FILE))
    there = _flatten(json.loads(json.dumps(config.to_dict(recorded))))
    here = _flatten(json.loads(json.dumps(config.to_dict(settings))))
    for key in sorted(set(there) | set(here)):
        if not key.startswith(_MAY_DIFFER) and there.get(key) != here.get(key):
            raise DemixError(
                f"{folder}: holds a run with {key} = {there.get(key)!r}, not {here.get(key)!r}; "
                "use its settings, delete it or choose another run name"
            )
    if read_run_record(folder).get("tracks") != _songs(tracks):
        raise DemixError(
            f"{folder}: was begun on other songs than {settings.data.dataset} now has in train and valid; "
            "put them back, delete the run or choose another run name"
        )
    return True


def write_run(
    folder: Path,
    settings: config.Config,
    *,
    tracks: Sequence[StoredTrack],
    parameters: int,
    device: str,
    processes: int = 1,
    init: Mapping[str, Any] | None = None,
) -> None:
    """Write `run.json`, the first file of a run; `init` says which weights it starts from, if not from random ones.

    Raises:
        DemixError: when it cannot be written.
    """
    record = {
        "config": config.to_dict(settings),
        "seed": settings.training.seed,
        "parameters": parameters,
        "tracks": _songs(tracks),
        "datasets": _datasets(settings.data, tracks),
        "train_seconds": sum(track.samples for track in tracks if track.split == "train") / config.SAMPLE_RATE,
        "created": provenance.timestamp(),
        "command": " ".join(sys.argv),
        "commit": provenance.git_commit(),
        "device": device,
        "processes": processes,
        "machine": provenance.machine(),
        **({"init": init} if init else {}),
    }
    with atomic(folder / RUN_FILE) as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())


def _songs(tracks: Sequence[StoredTrack]) -> dict[str, dict[str, int]]:
    """Return the songs that a run depends on: split -> name -> samples."""
    return {
        split: {track.name: track.samples for track in tracks if track.split == split} for split in ("train", "valid")
    }


def _datasets(data: config.Data, tracks: Sequence[StoredTrack]) -> dict[str, dict[str, Any]]:
    """Return what was learnt from, set by set: weight, licence, songs and their minutes."""
    sets = {}
    for dataset, weight in {data.dataset: 1.0, **data.also}.items():
        key = "" if dataset == data.dataset else dataset
        samples = [track.samples for track in tracks if track.split == "train" and track.dataset == key]
        sets[dataset_label(dataset)] = {
            "weight": weight,
            "licence": dataset_licence(dataset),
            "songs": len(samples),
            "minutes": round(sum(samples) / config.SAMPLE_RATE / 60, 1),
        }
    return sets


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested sections into `section.key` -> value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(_flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat
