"""Songs in, files of stems out, as `demix.separation` does it, but a server does the work."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from demix.client import Client
from demix.errors import DemixError
from demix.output import Output, staged
from demix.separation_events import Listener, Outcome, Progress
from demix.songs import Song, open_songs


def separate_remotely(
    server: str,
    inputs: Sequence[str | Path],
    *,
    models: Sequence[str] = ("unet",),
    output: Output | None = None,
    api_key: str | None = None,
    jobs: int = 1,
    on_event: Listener | None = None,
) -> list[Outcome]:
    """Let a server separate songs into files of stems.

    Files are named as `demix.separate` names them. What the server keeps of a song is deleted when its stems are here.

    Args:
        server: its address.
        inputs: files, folders, `-`.
        models: names of nets that the server offers.
        output: where to write, and the format: 16 bit, and an mp3 has 320 kbit/s.
        api_key: for a server that asks for one; `DEMIX_API_KEY` of the environment by default.
        jobs: songs that are on their way at the same time.
        on_event: told how far songs are, and of each song's outcome; from several threads if there are several jobs.

    Returns:
        The outcome of every song with every model.

    Raises:
        DemixError: when the server does not answer. What is wrong with a song is in its outcome.
    """
    chosen = output or Output()
    tell = on_event or (lambda _: None)
    with Client(server, api_key=api_key) as client:
        client.service()  # a wrong address is told once, not for every song
        with open_songs(inputs, out=chosen.folder, models=list(models)) as songs:

            def work(song: Song) -> list[Outcome]:
                return _separate(client, song, models, chosen, tell)

            if jobs == 1:
                return [outcome for song in songs for outcome in work(song)]
            with ThreadPoolExecutor(jobs) as pool:
                return [outcome for outcomes in pool.map(work, songs) for outcome in outcomes]


def _separate(client: Client, song: Song, models: Sequence[str], output: Output, tell: Listener) -> list[Outcome]:
    """Let one song be separated by all models; tell and return the outcomes."""
    outcomes: dict[str, Outcome] = {}
    due = {}
    try:
        for model in models:
            targets = output.targets(model, song.track, song.suffix)
            if not output.force and song.keeps_stems and all(each.is_file() for each in targets.values()):
                names = {stem: str(target) for stem, target in targets.items()}
                outcomes[model] = Outcome(song.label, model, "skipped", names)
            else:
                due[model] = targets
        if due:
            outcomes |= _separate_due(client, song, due, output, tell)
    except DemixError as error:
        sentence = f"{song.label}: {str(error).removeprefix(f'{_title(song)}: ')}"
        outcomes |= {
            model: Outcome(song.label, model, "failed", error=sentence) for model in models if model not in outcomes
        }
    for outcome in outcomes.values():
        tell(outcome)
    return list(outcomes.values())


def _title(song: Song) -> str:
    return Path(song.label).name


def _separate_due(
    client: Client, song: Song, due: dict[str, dict[str, Path]], output: Output, tell: Listener
) -> dict[str, Outcome]:
    if song.path.is_dir():
        raise DemixError(f"{song.label}: expected songs in this folder and below, found none; name a song")
    job = client.create(song.path, models=list(due), two_stems=output.two_stems, kind=output.kind, title=_title(song))
    try:
        job = _follow(client, job, lambda event: tell(_progress(song, job, event)))
        outcomes = {}
        for model, targets in due.items():
            with staged(targets, output.folder / model) as paths:
                for stem, path in paths.items():
                    client.download(job["id"], model, stem, path)
            names = {stem: str(target) for stem, target in targets.items()}
            outcomes[model] = Outcome(
                song.label,
                model,
                "done",
                names,
                seconds=job["seconds"],
                elapsed=job["elapsed"],
                sample_rate=job["sample_rate"],
                channels=job["channels"],
                notes=job["notes"],
            )
        return outcomes
    finally:
        with suppress(DemixError):  # also after Ctrl-C: the server shall not go on for nobody
            client.delete(job["id"])


def _follow(client: Client, job: dict[str, Any], on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Wait for the end of a separation; return it with the seconds that it took, as `elapsed`."""
    for event in client.follow(job["id"]):
        if event.name == "progress":
            on_progress(event.data)
        if event.name == "gone":
            raise DemixError("was deleted on the server before it was done; try again")
        if event.name == "status":
            job = event.data
    if job["status"] != "done":
        raise DemixError(job["error"] or f"was {job['status']} on the server; try again")
    started, finished = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return job | {"elapsed": (finished - started).total_seconds()}


def _progress(song: Song, job: dict[str, Any], event: dict[str, Any]) -> Progress:
    return Progress(song.label, event["model"], event["done_seconds"], job["seconds"])
