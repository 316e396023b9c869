"""`demix data generate`: make songs to train on. The command only translates."""

import os
from pathlib import Path
from typing import Annotated

import typer


def generate(
    out: Annotated[Path, typer.Argument(help="Folder to write: a data set, and index.html to hear ten songs.")],
    songs: Annotated[
        int, typer.Option(help="How many; those that are there, made with the same options, are kept.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Of all that is drawn; equal seeds give equal songs.")] = 0,
    jobs: Annotated[int | None, typer.Option(help="Songs to make at once; one per core by default.")] = None,
    vocals: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Data set or song with singing; may be repeated. By default the train songs that ship.",
        ),
    ] = None,
    loops: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Drum loops to lay under some drums; may be repeated."),
    ] = None,
    longest: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Cut songs there, at least 5; whole songs by default.")
    ] = None,
    cache: Annotated[
        Path, typer.Option(help="Folder for notes and phrases that many songs use; may be deleted at any time.")
    ] = Path("data/temp/generate"),
) -> None:
    """Make whole songs with four true stems out of free parts, to train on.

    Composed by rules, played on SoundFonts and drum kits, sung by recordings cut to phrases, mixed. Needs FluidSynth
    and a SoundFont; OUT/README.md names the licences of all that was used. Interrupted, the same command goes on.
    """
    from rich import progress as bars
    from rich.console import Console

    from demix.data.free import find_songs
    from demix.generate.make import Plan, make_songs
    from demix.report.generated_page import write_page
    from demix.training.allocator import keep_freed_memory

    plan = Plan(
        out=out,
        songs=songs,
        seed=seed,
        vocals=tuple(vocals) if vocals else (find_songs(),),
        loops=tuple(loops or ()),
        cache=cache,
        longest_seconds=longest,
    )
    columns = (
        bars.TextColumn("generating"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.description}", markup=False),
    )
    with bars.Progress(*columns, console=Console(stderr=True, highlight=False)) as progress:
        task = progress.add_task("", total=songs)
        made = make_songs(
            plan,
            jobs=(os.cpu_count() or 1) if jobs is None else jobs,
            on_song=lambda name: progress.update(task, advance=1, description=name),
            on_source=lambda name: progress.update(task, description=f"cutting {name} to phrases"),
            prepare=keep_freed_memory,
        )
        progress.update(task, description="writing the page")
        page = write_page(out)
    typer.echo(f"{out}: {len(made)} songs; listen: {page}; next: demix data prepare {out}")
