"""`demix sweep`: a grid of runs, here one after another, or as commands for any scheduler."""

import os
import shlex
import subprocess
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from demix.cli_options import Checkpoints, Settings
from demix.cli_train import train
from demix.errors import DemixError


def sweep(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Runs are called NAME-<net>-seed<seed>, and what varies.")
    ],
    configs: Annotated[
        list[Path] | None, typer.Argument(metavar="[CONFIG...]", help="One TOML file for each net, see configs/.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds with commas between them.")] = "0",
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE,VALUE", help="Train with each value of a setting; may be repeated."),
    ] = None,
    settings: Settings = None,
    data: Annotated[str | None, typer.Option(help="Data set or folder; the songs that ship by default.")] = None,
    preset: Annotated[str | None, typer.Option(help="Sizes of the nets: tiny, small or base.")] = None,
    as_list: Annotated[bool, typer.Option("--list", help="Train nothing, print a shell command for each run.")] = False,
    only: Annotated[int | None, typer.Option("--only", metavar="N", help="This run alone; the first is 0.")] = None,
    checkpoints: Checkpoints = Path("checkpoints"),
) -> None:
    r"""Train every net with every seed and every value of the settings that vary, into checkpoints/NAME-*.

    Without CONFIG: a U-Net and a ViT. For one seed and one value, all nets see the same batches. Interrupted, the same
    command goes on; what is done is skipped, and a run that fails does not stop the others.

        demix sweep pilot --seeds 0,1,2 --vary training.learning_rate=1e-3,3e-3

    The runs are independent of each other. Two at a time, and as a task of a SLURM array (examples/ has more):

        demix sweep pilot --seeds 0,1,2 --list | xargs -d '\n' -n 1 -P 2 sh -c

        demix sweep pilot --seeds 0,1,2 --only "$SLURM_ARRAY_TASK_ID"
    """
    import json

    from demix.runtime import require_torch

    require_torch("demix sweep")
    from demix.compare import PlannedRun, check_alike
    from demix.models import MODELS
    from demix.sweep import parse_seeds, parse_vary, plan_sweep, shell_line, train_command

    changes = list(settings or ())
    changes += [f"data.dataset={json.dumps(data, ensure_ascii=False)}"] if data else []
    changes += [f"model.preset={json.dumps(preset)}"] if preset else []
    runs = plan_sweep(
        name,
        files=configs or (),
        nets=tuple(MODELS),
        seeds=parse_seeds(seeds),
        vary=parse_vary(vary or ()),
        changes=changes,
    )
    if only is not None and not 0 <= only < len(runs):
        raise DemixError(f"--only: expected 0 to {len(runs) - 1}, received {only}; --list shows the runs from 0 on")
    chosen = runs if only is None else [runs[only]]
    for point, group in groupby(runs, key=lambda run: run.point):
        if any(run.point == point for run in chosen):
            check_alike([PlannedRun(checkpoints / run.name, run.settings) for run in group])
    if as_list:
        typer.echo("\n".join(shell_line(train_command(run, checkpoints)) for run in chosen))
    elif only is not None:
        run = chosen[0]
        train(run.file, name=run.name, settings=list(run.changes), resume=True, checkpoints=checkpoints)
    else:
        _train_all({run.name: train_command(run, checkpoints) for run in runs})
        typer.echo(f"next: demix evaluate {shlex.quote(str(checkpoints))}/{name}-*-seed* --name {name}")


def _train_all(commands: dict[str, list[str]]) -> None:
    """Train one run after another, each in its own process: what kills one, as too little memory does, spares the rest.

    Raises:
        DemixError: at the end, when runs have failed.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise DemixError("torchrun: expected one run for all its processes, received a whole sweep; add --only N")
    failed = []
    for place, (name, command) in enumerate(commands.items(), start=1):
        typer.echo(f"run {place} of {len(commands)}: {name}", err=True)
        with subprocess.Popen(command) as child:
            try:
                child.wait()
            finally:  # told to end, this process ends the run first; a run that has ended does not hear it
                child.terminate()
        if child.returncode:
            failed.append(name)
    if failed:
        raise DemixError(
            f"{len(failed)} of {len(commands)} runs failed: {', '.join(failed)}; what they said stands above, the same "
            "command tries them again and skips what is done"
        )
