"""What results.json says of the nets and of the songs."""

from collections.abc import Mapping, Sequence
from typing import Any

from demix import config
from demix.data import ARTISTS
from demix.data.track import Track
from demix.errors import DemixError
from demix.evaluation.cost import count_flops
from demix.models import MODEL_LABELS, count_parameters
from demix.runtime import HISTORY_FILE, Run


def describe_net(run: Run) -> dict[str, Any]:
    """Return a run's entry among the systems of results.json."""
    settings = run.config
    return {
        "name": run.name,
        "kind": "net",
        "label": MODEL_LABELS.get(settings.model.name, settings.model.name),
        "parameters": count_parameters(run.net),
        "gflops_per_second": count_flops(run.net, settings) / 1e9,
        "training_seconds": _training_seconds(run),
        "steps": settings.training.steps,
        "best_step": run.step,
        "batch_size": settings.data.batch_size,
        "segment_seconds": settings.data.segment_seconds,
        "mask": settings.model.mask,
        "seed": settings.training.seed,
        "config": config.to_dict(settings),
        "machine": run.record.get("machine", {}),
    }


def describe_songs(
    runs: Sequence[Run], tracks: Sequence[Track], dataset: str, licence: str, music_seconds: float
) -> dict[str, Any]:
    """Say what was learnt from and what was scored."""
    trained: Mapping[str, Any] = runs[0].record if runs else {}
    songs = trained.get("tracks", {})
    learnt_from = runs[0].config.data.dataset if runs else dataset
    same_artists = {"artists": ARTISTS[dataset]} if dataset == learnt_from and dataset in ARTISTS else {}
    return {
        **same_artists,
        "name": dataset,
        "root_label": learnt_from,
        "licence": licence,
        "train": sorted(songs.get("train", [])),
        "valid": sorted(songs.get("valid", [])),
        "test": [track.name for track in tracks],
        "train_minutes": trained.get("train_seconds", 0.0) / 60,
        "test_minutes": music_seconds / 60,
    }


def _training_seconds(run: Run) -> float:
    """Return the seconds trained, from the last row of the run's history; 0 without one."""
    path = run.folder / HISTORY_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    try:
        return float(lines[-1].split(",")[1]) if len(lines) > 1 else 0.0
    except (IndexError, ValueError) as error:
        raise DemixError(
            f"{path}: expected step,seconds,... in every line, but {error}; train the run again"
        ) from error
