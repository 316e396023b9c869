"""Songs in, files of stems out: finds the songs, loads the nets, and works through them, several at once if asked."""

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from demix.errors import DemixError
from demix.output import Output
from demix.pretrained import load, model_paths
from demix.provenance import usable_cores
from demix.separation_events import Listener, Outcome
from demix.separation_song import Job
from demix.songs import Song, open_songs

if TYPE_CHECKING:
    from demix.separator import Separator

GREATEST_WORKERS = 4  # each holds a chunk with all that becomes of it, about 100 MiB


def separate(
    inputs: str | Path | Sequence[str | Path],
    *,
    models: str | Path | Sequence[str | Path] | Mapping[str, "Separator"] = "unet",
    output: Output | None = None,
    device: str = "auto",
    segment_seconds: float | None = None,
    overlap: float | None = None,
    jobs: int = 1,
    on_event: Listener | None = None,
) -> list[Outcome]:
    """Separate songs into files of stems.

    A song that fails does not stop the others. Stems have the sample rate, the channels, the length to the sample and
    the tags of their song; memory does not grow with its length. A song's files appear together once they are complete.

    Args:
        inputs: a file, a folder with all below it, `-` for standard input, or several of them.
        models: names or files of models, one or several, see `demix.pretrained.load`; or separators by name.
        output: where and how to write; by default 16-bit wav files in `separated/<model>/<song>/`.
        device: `auto`, `cpu`, `cuda` ...: what loaded models run on.
        segment_seconds: length of the chunks that the nets see; by default their own.
        overlap: share of a chunk that it has in common with the next, 0 to under 1; by default the nets' own.
        jobs: songs at a time.
        on_event: told how far songs are, and of each song's outcome; from several threads if there are several jobs.

    Returns:
        The outcome of every song with every model, in the order of the songs.

    Raises:
        DemixError: for a model or option that is wrong. What is wrong with a song is in its outcome.

    Example:
        >>> outcomes = separate("song.mp3", models=["unet", "vit"])
        >>> outcomes[0].stems["vocals"]
        'separated/unet/song/vocals.wav'
    """
    if jobs < 1:
        raise DemixError(f"jobs: expected at least 1, received {jobs}")
    chosen = output or Output()
    named = _load(models, device, jobs)
    separators = {name: _adjusted(each, segment_seconds, overlap) for name, each in named.items()}
    tell = on_event or (lambda _: None)
    stop = threading.Event()
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    with open_songs(given, out=chosen.folder, models=[*separators, *model_paths()]) as songs:
        owners: dict[Path, Song] = {}
        work = []
        for song in songs:
            for model, separator in separators.items():
                targets: dict[str, Path] = {}
                try:
                    targets = chosen.targets(model, song.track, song.suffix)
                    refusal = _name_conflict(song, [owners[each] for each in targets.values() if each in owners])
                except DemixError as error:  # for this song's name; `Output` has tried a plain one
                    refusal = f"{song.label}: {error}"
                owners = dict.fromkeys(targets.values(), song) | owners
                work.append(Job(song, model, separator, chosen, targets, refusal, tell, stop))
        return [job.run() for job in work] if jobs == 1 else _run_at_once(work, jobs, stop)


def _name_conflict(song: Song, owners: Sequence[Song]) -> str | None:
    """Say why a song cannot have the files that another song of the same run has already; None if there is none."""
    if not owners:
        return None
    owner = owners[0]
    remedy = "put {trackext} into the file name" if owner.suffix != song.suffix else "give one another --out"
    return f"{song.label}: its stems would have the same names as those of {owner.label}; {remedy}"


def _run_at_once(work: Sequence[Job], jobs: int, stop: threading.Event) -> list[Outcome]:
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(job.run) for job in work]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stop.set()  # the other threads end at their next block and leave nothing half-written
            pool.shutdown(cancel_futures=True)
            raise


def _load(
    models: str | Path | Sequence[str | Path] | Mapping[str, "Separator"], device: str, jobs: int
) -> dict[str, "Separator"]:
    """Load models by name or path and call each by its name or the last part of its path."""
    if isinstance(models, Mapping):
        wrong = next((name for name in models if Path(name).name != name), None)
        if wrong is not None:
            raise DemixError(f"models: expected plain names of folders, received {wrong!r}; leave out slashes")
        return dict(models)
    if not isinstance(models, str | Path) and not models:
        raise DemixError("models: expected at least one, received none; leave it out for unet")
    cores = usable_cores()
    # A chunk for each core is faster than all cores for one chunk: the transforms around the net take one core only.
    workers = min(GREATEST_WORKERS, max(1, cores // jobs))
    threads = max(1, cores // (workers * jobs))
    named: dict[str, Separator] = {}
    for model in [models] if isinstance(models, str | Path) else models:
        name = Path(model).resolve().name.removesuffix(".onnx")
        if name in named:
            raise DemixError(f"models: expected different names, received {name!r} twice; rename one")
        named[name] = dataclasses.replace(load(model, device=device, threads=threads), workers=workers)
    return named


def _adjusted(separator: "Separator", segment_seconds: float | None, overlap: float | None) -> "Separator":
    """Return the separator with other chunks."""
    return dataclasses.replace(
        separator,
        chunk_seconds=separator.chunk_seconds if segment_seconds is None else segment_seconds,
        overlap=separator.overlap if overlap is None else overlap,
    )
