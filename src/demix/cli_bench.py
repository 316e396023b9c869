"""`demix bench`: how fast this machine trains."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demix.cli_options import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from demix.training.bench import Row

WIDTH = 90  # of the table, in characters

app = typer.Typer(help="Measure how fast this machine is.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Handle what comes before the command."""


@app.command()
def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="TOML file whose settings are measured; see configs/.")
    ] = None,
    nets: Annotated[list[str] | None, typer.Option("--net", help="unet or vit; that of CONFIG, or both.")] = None,
    presets: Annotated[
        list[str] | None, typer.Option("--preset", help="tiny, small or base; may be repeated; tiny by default.")
    ] = None,
    settings: Settings = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps timed in each round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="How often each row is measured.")] = 3,
    alone: Annotated[bool, typer.Option("--alone", help="Leave out the plain step and Open-Unmix.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the training step of each net, beside the plain eager float32 step and Open-Unmix's.

    Data are noise, so nothing has to be downloaded. Open-Unmix: pip install --no-deps openunmix==1.3.0
    """
    import json
    from dataclasses import asdict

    from demix import provenance
    from demix.cli_bars import Bars
    from demix.config import load_config
    from demix.runtime import pick_device, require_torch

    require_torch("demix bench train")
    from demix.models import MODELS
    from demix.training.bench import bench_training

    loaded = load_config(config, settings or ())
    with Bars() as bars:
        rows = bench_training(
            nets or ([loaded.model.name] if config else list(MODELS)),
            presets or [loaded.model.preset],
            config=config,
            settings=settings or (),
            steps=steps,
            rounds=rounds,
            beside=() if alone else ("plain", "open-unmix"),
            on_case=bars.on_bench,
        )
    device = str(pick_device(loaded.training.device))
    if as_json:
        found = {"device": device, "machine": provenance.machine(), "rows": [asdict(row) for row in rows]}
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console

    title = f"{device}: batches of {loaded.data.batch_size} x {loaded.data.segment_seconds:g} s, {rounds} rounds"
    console = Console(highlight=False)
    Console(highlight=False, width=max(console.width, WIDTH)).print(_table(rows, title))  # no figure is cut short


def _range(ratios: tuple[float, ...]) -> str:
    """Write the middle of the rounds' ratios, and the lowest and the highest."""
    from statistics import median

    if len(ratios) < 2:
        return "".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _table(rows: "list[Row]", title: str) -> "Table":
    """Lay out rows for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("net", "step", "steps/s", "music s/s", "waits", "GFLOP/s", "peak", "MiB", "x plain")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.net} {row.preset}".strip(),
            row.how if row.preset else "",
            f"{row.steps_per_second:.2f}",
            f"{row.audio_per_second:.1f}",
            f"{row.waiting_share:.1%}",
            "" if row.flops is None else f"{row.flops / 1e9:.0f}",
            "" if row.peak_share is None else f"{row.peak_share:.0%}",
            f"{row.peak_bytes / 2**20:.0f}",
            _range(row.times_plain),
        )
    return table
