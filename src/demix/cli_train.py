"""`demix train`: one net, in this process or in the several that torchrun starts."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from demix.cli_options import Checkpoints, Settings, plain_name
from demix.errors import DemixError


def train(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="TOML file, see configs/.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; the config's file name by default.")] = None,
    settings: Settings = None,
    init: Annotated[
        str | None,
        typer.Option(metavar="timm:MODEL[@FILE]", help="Start a ViT from ImageNet weights; the same as model.init."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run of that name.")] = False,
    checkpoints: Checkpoints = Path("checkpoints"),
) -> None:
    """Train one net into checkpoints/NAME.

    Without CONFIG: the tiny U-Net on the songs that ship with the project. Songs that are not prepared yet are.

    A ViT may start from the ImageNet weights of one of timm's, whose sizes it needs; configs/protocol-transfer.toml has
    some, and measures what it is worth:

        demix train --init timm:vit_tiny_patch16_224 --set model.name=vit --set model.options.embed_dim=192 --set
        model.options.num_heads=3

    On several GPUs, each process taking its share of every batch, and again from the last checkpoint when one dies:

        torchrun --nproc-per-node 2 --max-restarts 3 -m demix train CONFIG
    """
    import json

    from demix.cli_bars import Bars
    from demix.config import load_config
    from demix.data import dataset_label
    from demix.data.library import open_training
    from demix.runtime import require_torch

    require_torch("demix train")
    from demix.training.distributed import joined
    from demix.training.loop import train as run_training
    from demix.training.meeting import meeting

    with meeting() as met:
        if init == "":  # of a shell's variable that is not set: not the same as without it
            raise DemixError(
                "--init: expected timm:MODEL or timm:MODEL@FILE, received nothing; leave it out or write it"
            )
        start = [] if init is None else [f"model.init={json.dumps(init, ensure_ascii=False)}"]
        loaded = load_config(config, [*(settings or ()), *start])
        label = dataset_label(loaded.data.dataset)
        run = plain_name(name or (config.stem if config else f"{label}-{loaded.model.preset}-{loaded.model.name}"))
        with joined(met, device=loaded.training.device) as ranks, Bars() if ranks.main else nullcontext() as bars:
            listen = bars.on_prepare if bars else None
            tracks = ranks.in_turn(lambda: open_training(loaded.data, on_event=listen))
            end = run_training(
                loaded,
                checkpoints / run,
                tracks=tracks,
                resume=resume or (met is not None and met.again),
                on_event=(lambda event: bars.show_training(run, event)) if bars else None,
                ranks=ranks,
            )
    if ranks.main:
        best = "" if end.best_sdr is None else f", best validation SDR {end.best_sdr:.2f} dB"
        typer.echo(f"{checkpoints / run}: {end.step} steps{best}; next: demix evaluate {checkpoints / run}")
