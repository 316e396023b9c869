"""Score trained nets and baselines on songs, into a results folder; `scores.py` says what is in its files."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demix import __version__, provenance
from demix.config import SAMPLE_RATE, STEMS
from demix.data.stored import fingerprint
from demix.data.track import Audio, Track
from demix.errors import DemixError
from demix.evaluation import excerpt
from demix.evaluation.baselines import BASELINES
from demix.evaluation.describe import describe_net, describe_songs
from demix.evaluation.scores import ScoreRow, SecondRow, score_track, write_scores, write_seconds
from demix.files import atomic, read_record
from demix.pretrained import make_separator
from demix.runtime import BEST_FILE, HISTORY_FILE, Run, load_run, pick_device

RESULTS_FILE = "results.json"
PARTS = ("controls", "loop-songs", "loops", "probes")  # folders beside the scores that have been made by themselves
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
    baselines: Sequence[str] | None = None,
    heard: Collection[str] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    more: Mapping[str, Any] | None = None,
    on_event: Callable[[EvaluateEvent], None] | None = None,
) -> Path:
    """Score runs and baselines on songs.

    Every system separates the same mixtures. The files of an earlier evaluation in `out` are replaced at the end; the
    folders `PARTS` in it stay.

    Args:
        folders: run folders.
        tracks: the songs.
        out: the results folder, `results/<name>`.
        dataset: the name of the songs' data set, for the report.
        licence: its licence, for the report.
        device: where the nets run.
        baselines: keys of `BASELINES` that are scored beside the nets; all by default.
        heard: names of the runs whose excerpt is kept, to be heard and seen; all by default.
        about: by name of a run, what its entry in results.json says beside what is known anyway, as its group.
        more: further entries of results.json.
        on_event: told about progress.

    Returns:
        `out`.

    Raises:
        DemixError: without songs, for a folder that is not a run, an `out` that is not to be replaced, or a full disk.
    """
    if not tracks:
        raise DemixError(f"{dataset}: expected at least one song to score, received none; choose another split")
    tell = on_event or (lambda event: None)
    _check_out(out, by_protocol="protocol" in (more or {}))
    inputs = fingerprint_inputs(folders, tracks, baselines=baselines, about=about, more=more)
    runs = [load_run(folder, device=device) for folder in folders]
    _check_runs(runs, tracks)
    nets = [{**describe_net(run), **(about or {}).get(run.name, {})} for run in runs]
    separators = {run.name: make_separator(run.net, run.config, device=pick_device(device)) for run in runs}
    chosen = list(BASELINES) if baselines is None else list(baselines)
    names = [*separators, *chosen]
    kept = {*(separators if heard is None else heard), "oracle"}
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
            excerpts: dict[str, Audio] = {}
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
                if index == 0 and name in kept:
                    excerpts[name] = excerpt.cut(estimates, start)
                report(1.0)
            if index == 0:
                picture = excerpt.write_excerpt(
                    scratch,
                    mixture=excerpt.cut(mixture, start),
                    truth=excerpt.cut(stems, start),
                    estimates=excerpts,
                    track=track.name,
                    start=start,
                )
        write_scores(scratch / "scores.csv", scores)
        write_seconds(scratch / "seconds.csv", seconds)
        for run in runs:
            _copy_history(run, scratch)
        systems = [{**net, "realtime_factor": music_seconds / spent[net["name"]]} for net in nets]
        systems += [{"name": name, "kind": "baseline", "label": BASELINE_LABELS[name]} for name in chosen]
        facts = {
            "name": out.name,
            "created": provenance.timestamp(),
            "version": __version__,
            "commit": provenance.git_commit(),
            "command": " ".join(["demix", *sys.argv[1:]]),
            "split": tracks[0].split,
            "dataset": describe_songs(runs, tracks, dataset, licence, music_seconds),
            "systems": systems,
            "excerpt": picture,
            "machine": provenance.machine(),
            "inputs": inputs,
            **(more or {}),
        }
        with atomic(scratch / RESULTS_FILE) as file:
            file.write((json.dumps(facts, indent=2) + "\n").encode())
        _replace_folder(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return out


def _check_out(out: Path, *, by_protocol: bool) -> None:
    """Raise `DemixError` where replacing `out` would destroy something else, or a protocol's results by others."""
    if out.exists() and not (out / RESULTS_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DemixError(f"{out}: expected a results folder or a new name, found other files; choose another --name")
    if not by_protocol and "protocol" in read_facts(out):
        raise DemixError(f"{out}: expected a new name, found the results of a protocol; choose another --name")


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


def fingerprint_inputs(folders: Sequence[Path], tracks: Sequence[Track], **asked: object) -> dict[str, str]:
    """Return what decides the scores: hashes of every run's weights and of every song, this version.

    What else is `asked` of `evaluate`, as `baselines`, counts where it is not None.
    """
    hashes = {"version": __version__}
    if any(value is not None for value in asked.values()):
        hashes["asked"] = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    for folder in folders:
        path = folder / BEST_FILE
        hashes[f"run {folder.name}"] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    for track in tracks:
        hashes[f"song {track.name}"] = fingerprint(track)
    return hashes


def is_scored(out: Path, inputs: Mapping[str, str]) -> bool:
    """Tell whether `out` holds the scores of exactly these weights on exactly these songs."""
    return read_facts(out).get("inputs") == inputs


def read_facts(out: Path) -> dict[str, Any]:
    """Return what results.json of a folder says; nothing where there is none, or a damaged one."""
    return read_record(out / RESULTS_FILE)


def _copy_history(run: Run, folder: Path) -> None:
    path = run.folder / HISTORY_FILE
    if path.is_file():
        with atomic(folder / f"history-{run.name}.csv") as file:
            file.write(path.read_bytes())


def _replace_folder(scratch: Path, out: Path) -> None:
    """Put the finished folder in the place of an earlier one, whose `PARTS` it takes over."""
    old = out.with_name(f".{out.name}.old")
    try:
        if out.exists():  # else what is old is what an end at the wrong moment has left, and holds the parts
            _move_parts(old, out)
            shutil.rmtree(old, ignore_errors=True)
            out.replace(old)
        scratch.replace(out)
        _move_parts(old, out)
    except OSError as error:
        raise DemixError(f"{out}: cannot be replaced ({error.strerror}); close programs that use it") from error
    shutil.rmtree(old, ignore_errors=True)


def _move_parts(old: Path, new: Path) -> None:
    for part in PARTS:
        if (old / part).is_dir() and not (new / part).exists():
            (old / part).replace(new / part)
