"""`demix data`: download, prepare, inspect and make data sets. The commands only translate."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demix.errors import DemixError

if TYPE_CHECKING:  # heavy imports wait for the command that needs them
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from demix.data.events import Event
    from demix.data.stored import StoredTrack

app = typer.Typer(help="Download, prepare and inspect data sets.", no_args_is_help=True)

LABELS = {"download": "downloading", "check": "comparing checksum", "unpack": "unpacking"}


@app.command(short_help="Download and unpack a data set.")
def download(
    name: Annotated[str, typer.Argument(help="musdb18 (4.7 GB), musdb18hq (22.7 GB) or musdb18-7s (0.15 GB).")],
    root: Annotated[Path, typer.Option(help="Folder for data: ROOT/temp while loading, then ROOT/raw/NAME.")] = Path(
        "data"
    ),
) -> None:
    """Download a data set and unpack it; interrupted, the same command goes on.

    Needs free disk for the archive and the songs together: 10 GB for musdb18, 57 GB for musdb18hq, 0.4 GB for
    musdb18-7s (seven seconds of each song).
    """
    from rich import progress as bars

    from demix.data import RAW
    from demix.data.download import download as run

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=_console()) as progress:
        folder = run(name, root, on_event=_listener(progress))
    typer.echo(f"{folder} is complete; next: demix data prepare {name if folder == RAW / name else folder}")


@app.command(short_help="Decode songs once, for training.")
def prepare(
    data: Annotated[str, typer.Argument(metavar="SET", help="Name of a data set (free, musdb18, ...) or a folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; data/processed/SET by default.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Songs to decode at once; one per core by default.")] = None,
) -> None:
    """Decode every song once to files that training maps into memory; done songs are kept.

    A song that cannot be read is named and the others go on; the exit status is then 2.
    """
    from rich import progress as bars

    from demix.data import open_dataset
    from demix.data.library import store_folder
    from demix.data.store import PrepareEvent
    from demix.data.store import prepare as run

    columns = (
        bars.TextColumn("preparing"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.description}", markup=False),
    )
    tracks = open_dataset(data)
    with bars.Progress(*columns, console=_console()) as progress:
        task = progress.add_task("", total=len(tracks))

        def show(event: PrepareEvent) -> None:
            progress.update(task, completed=event.done, description=event.name)
            if event.status == "failed":
                progress.console.print(f"broken: {event.name}: {event.message}", markup=False, style="red")

        jobs = (os.cpu_count() or 1) if jobs is None else jobs
        result = run(tracks, out or store_folder(data), jobs=jobs, on_event=show)
    typer.echo(
        f"{result.folder}: {len(result.prepared)} songs prepared, {len(result.skipped)} were there, "
        f"{len(result.failed)} broken"
    )
    if result.failed:
        raise typer.Exit(2)


@app.command(short_help="Show songs, minutes, splits, levels, silence.")
def info(
    data: Annotated[
        str | None, typer.Argument(metavar="[SET]", help="Name or folder of a prepared set; all by default.")
    ] = None,
) -> None:
    """Show what prepared data sets hold: songs, minutes, splits, levels, silence.

    Per stem: the level over all music in dBFS, and the share of seconds in which it is under -60 dBFS.
    """
    from demix.data.library import PROCESSED
    from demix.data.store import INDEX, open_store

    folders = [_prepared(data)] if data else sorted(index.parent for index in PROCESSED.glob(f"*/{INDEX}"))
    if not folders:
        raise DemixError(f"{PROCESSED}: expected a prepared data set, found none; run `demix data prepare free`")
    for folder in folders:
        _console(stderr=False).print(_table(folder.name, open_store(folder)))


@app.command(short_help="Make songs that differ only in whether their drums repeat.")
def loops(
    out: Annotated[Path, typer.Argument(help="Folder to write: a data set, and index.html to see and hear it.")],
    data: Annotated[
        str, typer.Option(help="Data set or folder whose test songs give hits and accompaniment.")
    ] = "free",
    bases: Annotated[
        int | None, typer.Option(help="Sets of three songs; by default one for each test song, at least 24.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of a song; twice the nets' segments and a loop.")] = 7.0,
    loop_seconds: Annotated[float, typer.Option(help="Length of a loop; it has to repeat within a segment.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the choice of hits and their orders.")] = 0,
) -> None:
    """Make counterfactual songs: the drum loop repeats exactly, with variations, or never.

    The three songs of a base differ in nothing but the order of the drum hits. Score nets on them with `demix evaluate
    RUN... --data OUT`; songs that are there already are kept.
    """
    from demix.data import open_dataset
    from demix.data.loop_patterns import Loops
    from demix.data.loops import write_loops
    from demix.report.loops_page import write_page

    tracks = [track for track in open_dataset(data) if track.split == "test"]
    settings = Loops(
        seconds=seconds,
        loop_seconds=loop_seconds,
        bases=max(24, len(tracks)) if bases is None else bases,
        seed=seed,
    )
    with _console().status("") as status:
        songs = write_loops(tracks, out, settings, on_base=lambda name: status.update(f"making {name}"))
        status.update("writing the page")
        page = write_page(out)
    typer.echo(f"{out}: {len(songs)} songs; listen: {page}")


def _console(*, stderr: bool = True) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _listener(progress: "Progress") -> "Callable[[Event], None]":
    """Turn a download's events into lines and one bar per stage."""
    tasks: dict[str, TaskID] = {}

    def listen(event: "Event") -> None:
        if event.text:
            progress.console.print(event.text, markup=False)
        elif event.stage in tasks:
            progress.update(tasks[event.stage], completed=event.done, total=event.total)
        else:  # what is there already counts as done, not as speed
            tasks[event.stage] = progress.add_task(LABELS[event.stage], completed=event.done, total=event.total)

    return listen


def _prepared(data: str) -> Path:
    """Return the store meant by a folder or by the name of a set."""
    from demix.data.library import store_folder
    from demix.data.store import INDEX

    return Path(data) if (Path(data) / INDEX).is_file() else store_folder(data)


def _table(title: str, tracks: "Sequence[StoredTrack]") -> "Table":
    from rich.table import Table

    from demix.config import STEMS
    from demix.data.summary import summarise

    table = Table(title=title, title_justify="left")
    table.add_column("split")
    for heading in ("songs", "minutes", *(f"{stem}\ndBFS,\nsilent" for stem in STEMS)):
        table.add_column(heading, justify="right")
    for row in summarise(tracks):
        if row.split == "all":
            table.add_section()
        levels = zip(row.rms_db, row.silent_share, strict=True)
        table.add_row(
            row.split,
            str(row.songs),
            f"{row.minutes:.1f}",
            *(f"{level:.1f}, {share:.0%}" if share < 1 else "silent" for level, share in levels),
        )
    return table
