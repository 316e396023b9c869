"""`demix probe`: how far trained nets listen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demix.cli_options import Device
from demix.errors import DemixError

if TYPE_CHECKING:
    from rich.table import Table

    from demix.evaluation.probes.found import Found


def probe(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders that training made.")],
    data: Annotated[
        str | None, typer.Option(help="Data set or folder to probe on; by default what the first run was trained on.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test; a plain folder's songs are all test.")] = "test",
    frames: Annotated[int | None, typer.Option(help="Frames of every song; 4 by default.")] = None,
    radius: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How far windows reach from the frame; 10 s by default.")
    ] = None,
    own_length: Annotated[
        bool, typer.Option("--own-length", help="Windows as long as each net's training segments, not --radius.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write; results/RUN/probes by default.")] = None,
    device: Device = "auto",
) -> None:
    """Measure how far nets listen: replace the music around a frame, and see what the frame loses.

    Beside the context curves: where gradients come from, and for a ViT how far each head attends.

    Nets hear windows of twice the radius, 20 s; those trained on shorter segments are at home with --own-length.
    """
    from demix.cli_bars import Bars
    from demix.data import open_dataset
    from demix.data.track import SPLITS
    from demix.runtime import read_run_record, require_torch

    if split not in SPLITS:
        raise DemixError(f"--split: expected one of {', '.join(SPLITS)}, received {split!r}")
    if own_length and radius is not None:
        raise DemixError("--own-length: expected no --radius beside it, received both; leave one out")
    dataset = data or str(read_run_record(runs[0])["config"].get("data", {}).get("dataset", "free"))
    songs = open_dataset(dataset)
    require_torch("demix probe")
    from demix.evaluation.probes.run import FRAMES, RADIUS_SECONDS
    from demix.evaluation.probes.run import probe as run_probes

    tracks = [track for track in songs if track.split == split]
    folder = out or Path("results") / runs[0].resolve().name / "probes"
    with Bars() as bars:
        found = run_probes(
            runs,
            tracks,
            folder,
            others=tracks if len(tracks) > 1 else songs,
            frames=FRAMES if frames is None else frames,
            radius_seconds=None if own_length else RADIUS_SECONDS if radius is None else radius,
            device=device,
            on_event=bars.on_probe,
        )
    from rich.console import Console

    Console(highlight=False).print(_table(found))
    typer.echo(f"probes: {folder}")


def _table(found: "Found") -> "Table":
    """Lay out how far each net listens: medians over songs, in seconds."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from demix.evaluation.probes.losses import ROWS

    title = "Listening radius in seconds (99 % of the context's effect), median of the songs; > ends with the window"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("net")
    table.add_column("context replaced by", overflow="fold")
    for stem in (*ROWS, "gradients"):
        table.add_column(stem, justify="right", no_wrap=True)
    for net in found.field_radius:
        for fill in dict.fromkeys(row.fill for row in found.listening):
            cells = []
            for stem in ROWS:
                rows = [row for row in found.listening if (row.system, row.fill, row.stem) == (net.system, fill, stem)]
                # The lower of two middle songs: a song of the table, whose radius is a bound or is not.
                middle = sorted(rows, key=lambda row: row.radius_seconds)[(len(rows) - 1) // 2] if rows else None
                cells.append(f"{'>' * middle.reaches_edge}{middle.radius_seconds:.2f}" if middle else "–")
            table.add_row(net.system, fill, *cells, f"{net.radius_seconds:.2f}")
    return table
