"""Score trained nets and baselines on songs, into a results folder; `scores.py` says what is in its files."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demix import __version__, config, provenance
from demix.config import SAMPLE_RATE, STEMS
from demix.data import ARTISTS
from demix.data.stored import fingerprint
from demix.data.track import Audio, Track
from demix.errors import DemixError
from demix.evaluation import excerpt
from demix.evaluation.baselines import BASELINES
from demix.evaluation.cost import count_flops
from demix.evaluation.scores import ScoreRow, SecondRow, score_track, write_scores, write_seconds
from demix.files import atomic
from demix.models import MODEL_LABELS, count_parameters
from demix.pretrained import make_separator
from demix.runtime import BEST_FILE, HISTORY_FILE, Run, load_run, pick_device

RESULTS_FILE = "results.json"
BASELINE_LABELS = {
    "mixture": "Mixture (floor)",
    "equal": "Equal masks (nothing learned)",
    "hpss": "Harmonic-percussive (librosa)",
    "oracle": "Oracle ratio mask (ceiling)",
}


@dataclass(frozen=True)
class EvaluateEvent:
    """What a progress bar needs to know: `system` on `track`, `done` of `total` parts of the work."""

    system: str
    track: str
    done: float
    total: int


def evaluate(
    folders: Sequence[Path],
    tracks: Sequence[Track],
    out: Path,
    *,
    dataset: str,
    licence: str,
    device: str = "auto",
    on_event: Callable[[EvaluateEvent], None] | None = None,
) -> Path:
    """Score runs and all baselines on songs.

    Every system separates the same mixtures. The files of an earlier evaluation in `out` are replaced at the end.

    Args:
        folders: run folders.
        tracks: the songs.
        out: the results folder, `results/<name>`.
        dataset: the name of the songs' data set, for the report.
        licence: its licence, for the report.
        device: where the nets run.
        on_event: told about progress.

    Returns:
        `out`.

    Raises:
        DemixError: without songs, for a folder that is not a run, a song that cannot be read, or a full disk.
    """
    if not tracks:
        raise DemixError(f"{dataset}: expected at least one song to score, received none; choose another split")
    tell = on_event or (lambda event: None)
    _check_out(out)
    inputs = fingerprint_inputs(folders, tracks)
    runs = [load_run(folder, device=device) for folder in folders]
    _check_runs(runs, tracks)
    nets = [_describe_net(run) for run in runs]
    separators = {run.name: make_separator(run.net, run.config, device=pick_device(device)) for run in runs}
    names = [*separators, *BASELINES]
    scores: list[ScoreRow] = []
    seconds: list[SecondRow] = []
    spent = dict.fromkeys(separators, 0.0)
    music_seconds = 0.0
    picture: dict[str, object] = {}
    scratch = out.with_name(f".{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        raise DemixError(f"{scratch}: cannot be made ({error.strerror}); choose another --results") from error
    try:
        for index, track in enumerate(tracks):
            stems, mixture = track.load()
            music_seconds += mixture.shape[-1] / SAMPLE_RATE
            start = excerpt.choose_start(stems)
            heard: dict[str, Audio] = {}
            for place, name in enumerate(names):
                done = index * len(names) + place

                def report(share: float, name: str = name, done: int = done, song: str = track.name) -> None:
                    tell(EvaluateEvent(name, song, done + share, len(tracks) * len(names)))

                report(0.0)
                if name in separators:
                    started = time.perf_counter()
                    parts = separators[name].separate(mixture, on_progress=report)
                    spent[name] += time.perf_counter() - started
                    estimates = np.stack([parts[stem] for stem in STEMS])
                else:
                    estimates = BASELINES[name](mixture, stems)
                rows = score_track(stems, estimates, system=name, track=track.name, split=track.split)
                scores.extend(rows[0])
                seconds.extend(rows[1])
                if index == 0 and (name in separators or name == "oracle"):
                    heard[name] = excerpt.cut(estimates, start)
                report(1.0)
            if index == 0:
                picture = excerpt.write_excerpt(
                    scratch,
                    mixture=excerpt.cut(mixture, start),
                    truth=excerpt.cut(stems, start),
                    estimates=heard,
                    track=track.name,
                    start=start,
                )
        write_scores(scratch / "scores.csv", scores)
        write_seconds(scratch / "seconds.csv", seconds)
        for run in runs:
            _copy_history(run, scratch)
        systems = [{**net, "realtime_factor": music_seconds / spent[net["name"]]} for net in nets]
        systems += [{"name": name, "kind": "baseline", "label": BASELINE_LABELS[name]} for name in BASELINES]
        facts = {
            "name": out.name,
            "created": provenance.timestamp(),
            "version": __version__,
            "commit": provenance.git_commit(),
            "command": " ".join(["demix", *sys.argv[1:]]),
            "seeds": 1,  # of every net: runs are not pooled
            "split": tracks[0].split,
            "dataset": _describe_songs(runs, tracks, dataset, licence, music_seconds),
            "systems": systems,
            "excerpt": picture,
            "machine": provenance.machine(),
            "inputs": inputs,
        }
        with atomic(scratch / RESULTS_FILE) as file:
            file.write((json.dumps(facts, indent=2) + "\n").encode())
        _replace_folder(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return out


def _check_out(out: Path) -> None:
    """Raise `DemixError` where replacing `out` would destroy something that is not a results folder."""
    if out.exists() and not (out / RESULTS_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DemixError(f"{out}: expected a results folder or a new name, found other files; choose another --name")


def _check_runs(runs: Sequence[Run], tracks: Sequence[Track]) -> None:
    """Raise `DemixError` for runs that tables could not tell apart, and for test songs that a run was trained on."""
    taken = {*BASELINES, "truth"}
    for run in runs:
        if run.name in taken:
            raise DemixError(f"{run.folder}: the name {run.name} is taken by another system; rename the run folder")
        taken.add(run.name)
        songs = run.record.get("tracks", {})
        for track in tracks:
            if track.split == "test" and track.name in {**songs.get("train", {}), **songs.get("valid", {})}:
                raise DemixError(
                    f"{track.name}: is scored as a test song, but {run.name} was trained with it; score other songs"
                )


def fingerprint_inputs(folders: Sequence[Path], tracks: Sequence[Track]) -> dict[str, str]:
    """Return what decides the scores: hashes of every run's weights and of every song, and this version."""
    hashes = {"version": __version__}
    for folder in folders:
        path = folder / BEST_FILE
        hashes[f"run {folder.name}"] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    for track in tracks:
        hashes[f"song {track.name}"] = fingerprint(track)
    return hashes


def _describe_net(run: Run) -> dict[str, Any]:
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


def _describe_songs(
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


def _copy_history(run: Run, folder: Path) -> None:
    path = run.folder / HISTORY_FILE
    if path.is_file():
        with atomic(folder / f"history-{run.name}.csv") as file:
            file.write(path.read_bytes())


def _replace_folder(scratch: Path, out: Path) -> None:
    """Put the finished folder in the place of an earlier one."""
    try:
        old = out.with_name(f".{out.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.replace(old)
        scratch.replace(out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise DemixError(f"{out}: cannot be replaced ({error.strerror}); close programs that use it") from error
