"""`demix models` and `demix export`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from demix.errors import DemixError

FORMATS = {"onnx": ".onnx", "tensorflow": "-tensorflow"}  # what their files' names end in
HEADLINE = "sdr"  # of the scores that a list has room for


def models(
    as_json: Annotated[bool, typer.Option("--json", help="All that is known, as JSON.")] = False,
) -> None:
    """List the models on board."""
    from dataclasses import asdict

    from demix.pretrained import list_models

    found = list_models()
    if as_json:
        typer.echo(json.dumps({name: asdict(facts) for name, facts in found.items()}, indent=2, ensure_ascii=False))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model")
    table.add_column("parameters", justify="right")
    table.add_column("trained on")
    table.add_column(f"{HEADLINE}, dB", justify="right")
    for name, facts in found.items():
        songs = facts.training["songs_seconds"].get("train", {})
        sets = " and ".join(facts.training.get("datasets") or [facts.training["dataset"]])
        learnt = f"{sets}: {len(songs)} songs, {sum(songs.values()) / 60:.1f} minutes"
        score = facts.scores.get(HEADLINE, {}).get("mean")
        table.add_row(name, f"{facts.parameters:,}", learnt, "–" if score is None else f"{score:.2f}")
    Console(highlight=False).print(table)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that training made.")],
    out: Annotated[
        Path | None, typer.Option(help="The file or folder to write; in RUN, with its name, by default.")
    ] = None,
    to: Annotated[
        str, typer.Option("--format", help="onnx, or tensorflow: a folder of SavedModel and .tflite.")
    ] = "onnx",
    scores: Annotated[
        Path | None, typer.Option(help="scores.csv of an evaluation of the run, for the model card.")
    ] = None,
) -> None:
    """Write a trained net as an ONNX file with a model card beside it, or for TensorFlow.

    What is written is checked against the net on real music first, and refused where masks differ by more than 0.0001.
    """
    from demix.runtime import require_torch

    if to not in FORMATS:
        raise DemixError(f"--format: expected {' or '.join(FORMATS)}, received {to!r}")
    require_torch("export")
    name = run.resolve().name
    path = out or run / f"{name}{FORMATS[to]}"
    if to == "tensorflow":
        from demix.export_tensorflow import export_tensorflow

        difference = export_tensorflow(run, path)
    else:
        from demix.export import export_onnx

        if path.suffix != ".onnx":
            raise DemixError(f"--out: expected a file that ends in .onnx, received {path}; its model card ends in .md")
        difference = export_onnx(run, path, **(_read_scores(scores, name) if scores else {}))
    typer.echo(f"{path}: masks within {difference:.1g} of the net's")


def _read_scores(path: Path, run: str) -> dict[str, Any]:
    """Return what a table of scores has for the card of a run: arguments of `demix.export.export_onnx`.

    Raises:
        DemixError: when the file is no scores.csv or has no test scores of the run.
    """
    from math import isnan

    from demix.evaluation.baselines import BASELINES
    from demix.evaluation.scores import read_scores, summarise
    from demix.metrics import METRICS

    rows = [row for row in read_scores(path) if row.split == "test"]
    systems = list(dict.fromkeys(row.system for row in rows))
    if run not in systems:
        raise DemixError(
            f"{path}: expected test scores of {run}, found those of {', '.join(systems) or 'nothing'}; "
            "run `demix evaluate` first"
        )
    of_metric = {metric: summarise(rows, metric) for metric in METRICS}
    headline = {name: row["mean"] for name, row in of_metric[HEADLINE].items() if not isnan(row["mean"])}
    return {
        "scores": {
            metric: {stem: value for stem, value in summary[run].items() if not isnan(value)}
            for metric, summary in of_metric.items()
            if run in summary
        },
        "scored_songs": list(dict.fromkeys(row.track for row in rows if row.system == run)),
        "baselines": {name: headline[name] for name in BASELINES if name in headline},
    }
