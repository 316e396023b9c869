"""`demix separate`: stems out of songs. The command only translates; flags are those of demucs where it has them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demix.errors import DemixError, printable

if TYPE_CHECKING:  # heavy imports wait for the command
    from demix.output import Output
    from demix.separation_events import Listener, Outcome, Progress

MP3_BITRATE = 320  # kilobits per second
FAILED = 2  # exit status when a song could not be separated


def separate(
    inputs: Annotated[list[str], typer.Argument(metavar="SONG...", help="Files, folders, - for standard input.")],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-n", "--model", help="Name of a model, an .onnx file or a run folder; may be repeated; unet by default."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")] = Path("separated"),
    filename: Annotated[
        str, typer.Option(help="Place of a file in OUT/MODEL; knows {track}, {trackext}, {stem}, {ext}.")
    ] = "{track}/{stem}.{ext}",
    device: Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda, ...; see demix doctor.")] = "auto",
    overlap: Annotated[float | None, typer.Option(help="Share of a chunk that the next has too, 0 to 0.95.")] = None,
    segment: Annotated[
        float | None, typer.Option(help="Length of the chunks in seconds, the model's own by default.")
    ] = None,
    two_stems: Annotated[
        str | None, typer.Option(metavar="STEM", help="Write only STEM and no_STEM, the rest.")
    ] = None,
    int24: Annotated[bool, typer.Option("--int24", help="24-bit samples.")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Float samples, which cannot clip.")] = False,
    flac: Annotated[bool, typer.Option("--flac", help="Write flac.")] = False,
    mp3: Annotated[bool, typer.Option("--mp3", help="Write mp3.")] = False,
    mp3_bitrate: Annotated[int, typer.Option(help="Of an mp3, in kilobits per second.")] = MP3_BITRATE,
    clip_mode: Annotated[
        str, typer.Option(help="Beyond full scale: rescale all stems of the song, clamp, or none.")
    ] = "rescale",
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Songs at a time.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write again what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each song and model.")] = False,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Let a demix server do the work, as http://localhost:8000.")
    ] = None,
) -> None:
    """Cut songs into vocals, drums, bass and other: OUT/MODEL/SONG/STEM.wav.

    Reads every format that FFmpeg's libraries read, and films; the stems have the song's sample rate, channels, length
    and tags. Folders are searched to the bottom. What is there already is skipped. A file that fails does not stop the
    others; the exit status is then 2.
    """
    from demix.output import Output
    from demix.training.allocator import keep_freed_memory

    if server is not None:
        given = {
            "--device": device != "auto",
            "--overlap": overlap is not None,
            "--segment": segment is not None,
            "--int24": int24,
            "--float32": float32,
            "--mp3-bitrate": mp3_bitrate != MP3_BITRATE,
            "--clip-mode": clip_mode != "rescale",
        }
        for name in (name for name, is_given in given.items() if is_given):
            raise DemixError(f"--server: expected no {name} beside it, received one; that is the server's to choose")
    if int24 and float32:
        raise DemixError("--int24 --float32: expected one of them, received both; leave one out")
    if flac and mp3:
        raise DemixError("--flac --mp3: expected one of them, received both; leave one out")
    if mp3 and (int24 or float32):
        raise DemixError("--mp3: expected no bit depth beside it, received one; leave out --int24 and --float32")
    output = Output(
        folder=out,
        filename=filename,
        kind="mp3" if mp3 else "flac" if flac else "wav",
        depth="int24" if int24 else "float32" if float32 else "int16",
        mp3_bitrate=mp3_bitrate,
        two_stems=two_stems,
        clip_mode=clip_mode,
        force=force,
    )
    keep_freed_memory()  # a chunk's arrays are large and come and go: otherwise half the time is spent in page faults
    outcomes = _run(inputs, models or ["unet"], output, device, segment, overlap, jobs, as_json, server)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(FAILED)


def _run(
    inputs: list[str],
    models: list[str],
    output: "Output",
    device: str,
    segment: float | None,
    overlap: float | None,
    jobs: int,
    as_json: bool,
    server: str | None,
) -> "list[Outcome]":
    """Separate under a progress bar."""
    from rich import progress as bars
    from rich.console import Console

    from demix.separation import separate as run
    from demix.separation_events import Outcome

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(bar_width=24),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[speed]}", markup=False),
        bars.TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False)
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[tuple[str, str], bars.TaskID] = {}

        def listen(event: "Progress | Outcome") -> None:
            key = (event.song, event.model)
            if isinstance(event, Outcome):
                if key in tasks:
                    progress.remove_task(tasks.pop(key))
                _tell(event, as_json)
                return
            if key not in tasks:
                tasks[key] = progress.add_task(f"{printable(Path(event.song).name)} {event.model}", speed="")
            elapsed = progress.tasks[progress.task_ids.index(tasks[key])].elapsed
            progress.update(
                tasks[key],
                completed=event.done_seconds,
                total=event.total_seconds,
                speed=f"{event.done_seconds / elapsed:.0f}x real time" if elapsed else "",
            )

        if server is not None:
            return _run_remotely(server, inputs, models, output, jobs, listen)
        return run(
            inputs,
            models=models,
            output=output,
            device=device,
            segment_seconds=segment,
            overlap=overlap,
            jobs=jobs,
            on_event=listen,
        )


def _run_remotely(
    server: str, inputs: list[str], models: list[str], output: "Output", jobs: int, listen: "Listener"
) -> "list[Outcome]":
    try:
        from demix.separation_remote import separate_remotely
    except ImportError as error:
        raise DemixError(f"--server: not installed ({error}); pip install 'demix-lab[client]'") from error
    return separate_remotely(server, inputs, models=models, output=output, jobs=jobs, on_event=listen)


def _tell(outcome: "Outcome", as_json: bool) -> None:
    """Print what became of a song: results on standard output, errors on standard error."""
    if as_json:
        import dataclasses

        facts = dataclasses.asdict(outcome)
        facts["speed"] = outcome.seconds / outcome.elapsed if outcome.elapsed else None
        typer.echo(json.dumps(facts, ensure_ascii=True))
    elif outcome.status == "skipped":
        typer.echo(printable(f"{outcome.song}: skipped, {_place(outcome)} is there; --force writes it again"))
    elif outcome.status == "done":
        minutes, seconds = divmod(round(outcome.seconds), 60)
        speed = outcome.seconds / outcome.elapsed
        notes = "".join(f"; {note}" for note in outcome.notes)
        length = f"{minutes}:{seconds:02}"
        typer.echo(printable(f"{outcome.song}: {_place(outcome)} ({length}, {speed:.1f}x real time){notes}"))
    if outcome.error is not None:
        typer.echo(f"demix: {printable(outcome.error)}", err=True)


def _place(outcome: "Outcome") -> str:
    """Return the folder of all stems, or the first file where they lie in several."""
    paths = [Path(path) for path in outcome.stems.values()]
    return str(paths[0].parent if len({path.parent for path in paths}) == 1 else paths[0])
