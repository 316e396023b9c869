"""The command `demix`. Commands only translate: arguments to calls, events to bars, errors to one line and status 2."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from demix import (
    __version__,
    cli_bench,
    cli_data,
    cli_doctor,
    cli_generate,
    cli_models,
    cli_probe,
    cli_separate,
    cli_serve,
    cli_sweep,
    cli_train,
)
from demix.cli_options import Checkpoints, Device, ResultsFolder, Settings, plain_name
from demix.errors import DemixError, printable

app = typer.Typer(
    rich_markup_mode=None,  # Rich would double the time that --help takes
    context_settings={"max_content_width": 100},
    help="Cut songs into vocals, drums, bass and other, and compare the nets that do it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(short_help="Cut songs into vocals, drums, bass and other.")(cli_separate.separate)
app.command(short_help="Train one net.")(cli_train.train)
app.command(short_help="Train a grid of nets, seeds and settings.")(cli_sweep.sweep)
app.command(short_help="Measure how far trained nets listen.")(cli_probe.probe)
app.command()(cli_models.models)
app.command(short_help="Write a trained net as an ONNX file, or for TensorFlow.")(cli_models.export)
app.command(short_help="Show what is installed, and why a GPU is not used.")(cli_doctor.doctor)
app.command(cls=cli_serve.WithSettings, short_help="Serve a page to listen with, and an API.")(cli_serve.serve)
app.command(short_help="Separate what a server has queued.")(cli_serve.worker)
app.command(name="api-key", short_help="Make an API key.")(cli_serve.api_key)
cli_data.app.command(short_help="Make whole songs with four true stems, to train on.")(cli_generate.generate)
app.add_typer(cli_data.app, name="data")
app.add_typer(cli_bench.app, name="bench")

INTERRUPTED = 130  # exit status after Ctrl-C
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # of click, of which typer may bring its own copy


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Handle what comes before the command."""
    if version:
        typer.echo(f"demix {__version__}")
        raise typer.Exit


@app.command(short_help="Score runs and the baselines, song by song, stem by stem.")
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders that training made.")],
    data: Annotated[
        str | None, typer.Option(help="Data set or folder to score; by default what the first run was trained on.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test; a plain folder's songs are all test.")] = "test",
    name: Annotated[str | None, typer.Option(help="Name of the results folder.")] = None,
    device: Device = "auto",
    results: ResultsFolder = Path("results"),
) -> None:
    """Score runs, and every baseline beside them, song by song and stem by stem, into results/NAME."""
    from demix.cli_bars import Bars
    from demix.cli_summary import print_summary
    from demix.data import dataset_label, dataset_licence, open_dataset
    from demix.data.track import SPLITS
    from demix.report.build import build, summary
    from demix.runtime import read_run_record, require_torch

    require_torch("demix evaluate")
    from demix.evaluation.evaluate import evaluate as run_evaluation

    if split not in SPLITS:
        raise DemixError(f"--split: expected one of {', '.join(SPLITS)}, received {split!r}")
    dataset = data or str(read_run_record(runs[0])["config"].get("data", {}).get("dataset", "free"))
    tracks = [track for track in open_dataset(dataset) if track.split == split]
    label = dataset_label(dataset)
    default = runs[0].resolve().name if data is None else f"{runs[0].resolve().name}-on-{label}"
    with Bars() as bars:
        folder = run_evaluation(
            runs,
            tracks,
            results / plain_name(name or default),
            dataset=label,
            licence=dataset_licence(dataset),
            device=device,
            on_event=bars.on_evaluate,
        )
    page = build(folder)
    print_summary(summary(folder))
    typer.echo(f"scores: {folder / 'scores.csv'}\nreport: {page}")


@app.command(short_help="Train a U-Net and a ViT, score both, write the report.")
def compare(
    configs: Annotated[
        list[Path] | None, typer.Argument(metavar="[CONFIG...]", help="One TOML file for each net, see configs/.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set or folder; the songs that ship by default.")] = None,
    preset: Annotated[str | None, typer.Option(help="Sizes of the nets: tiny, small or base.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the comparison.")] = None,
    settings: Settings = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Run all that a protocol says (docs/protocol.md), instead of other settings.")
    ] = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Train a U-Net and a ViT on the same batches, score both, write the report.

    Without arguments: tiny nets on the songs that ship with the project, minutes on two CPU cores. Run again, it reuses
    what is there and goes on with what was interrupted.

    The real thing, on MUSDB18 and one card of 4 GB or more:

        demix data download musdb18

        demix compare configs/musdb18-unet.toml configs/musdb18-vit.toml --name musdb18

    The evidence, with several seeds, controls and probes, as a protocol says that was written before:

        demix compare --protocol configs/protocol-tiny.toml
    """
    from demix.cli_bars import Bars
    from demix.cli_summary import print_summary
    from demix.config import load_config
    from demix.report.build import summary
    from demix.runtime import require_torch

    require_torch("demix compare")
    from demix.compare import PlannedRun, plan_runs
    from demix.compare import compare as run_comparison
    from demix.data import dataset_label

    if protocol is not None:
        if configs or data or preset or name or settings:
            raise DemixError(f"--protocol: expected no other settings, since {protocol} has them all; change it there")
        from demix.evidence import gather_evidence

        with Bars() as bars:
            page = gather_evidence(protocol, checkpoints=checkpoints, results=results, listener=bars)
        print_summary(summary(page.parent))
        typer.echo(f"report: {page}")
        return
    changes = list(settings or ())
    changes += [f"data.dataset={json.dumps(data, ensure_ascii=False)}"] if data else []
    changes += [f"model.preset={json.dumps(preset)}"] if preset else []
    default = (
        "-".join(path.stem for path in configs) if configs else f"{dataset_label(data or 'free')}-{preset or 'tiny'}"
    )
    chosen = plain_name(name or default)
    if configs:
        # With another --name the same configs are trained anew; configs named after the comparison keep their names.
        stems = [path.stem if not name or path.stem.startswith(name) else f"{name}-{path.stem}" for path in configs]
        runs = [
            PlannedRun(checkpoints / stem, load_config(path, changes))
            for stem, path in zip(stems, configs, strict=True)
        ]
    else:
        runs = plan_runs(chosen, checkpoints=checkpoints, load=lambda more: load_config(None, more), settings=changes)
    with Bars() as bars:
        page = run_comparison(runs, results / chosen, listener=bars)
    print_summary(summary(results / chosen))
    typer.echo(f"report: {page}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    figure: Annotated[
        str | None, typer.Option(metavar="NAME", help="This figure alone, with its data, into FOLDER/figures.")
    ] = None,
) -> None:
    """Write the report of a results folder again."""
    from demix.report.build import build, redraw

    for path in [build(folder)] if figure is None else redraw(folder, figure):
        typer.echo(path)


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit status 2."""
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal, a service that stops: clean up as after Ctrl-C
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end)
    try:
        status = app(prog_name="demix", standalone_mode=False)
    except _UsageError as error:
        _stop_usage(error)
    except DemixError as error:
        _stop(str(error), 2)
    except OSError as error:
        what = error.filename or "standard output or a file"
        _stop(f"{what}: {error.strerror or error}; check the path and the room on disk", 2)
    if status == INTERRUPTED:  # typer ends so after Ctrl-C, without a word
        resume = " with --resume" if sys.argv[1:2] == ["train"] else ""
        _stop(f"interrupted; the same command{resume} goes on with what is not done", INTERRUPTED)
    sys.exit(status)


def _end(number: int, _frame: object) -> NoReturn:
    """End the process from wherever it is, so that what is half-written is removed on the way."""
    sys.exit(128 + number)


def _stop_usage(error: Any) -> NoReturn:
    """Say in one line what is wrong with the command line, where the help is, and what a leading dash does."""
    message = error.format_message()
    if not message or "\n" in message:  # no arguments at all: this is the help, or it has been shown
        typer.echo(message, err=True, nl=bool(message))
        sys.exit(2)
    path = next((item for item in sys.argv[1:] if item.startswith("-") and os.path.lexists(item)), None)
    help_of = error.ctx.command_path if error.ctx else "demix"
    remedy = f"write ./{path} for the file of that name" if path else f"see {help_of} --help"
    _stop(f"{message.rstrip('.')}; {remedy}", 2)


def _stop(sentence: str, status: int) -> NoReturn:
    """End with one line on standard error."""
    typer.echo(f"demix: {printable(sentence)}", err=True)
    sys.exit(status)
