"""A grid of runs, planned: nets x seeds x settings, each run with its name and with what `demix train` is told.

A plan depends on its arguments alone: each of many tasks that plan it anew, on any machine, finds the same N-th run.
"""

import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from demix import config
from demix.errors import DemixError

MAX_NAME_BYTES = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")  # what a shell, a URL or a file system may take for something else


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Args:
        name: of its folder, `<sweep>-<net>-<point>`.
        point: where in the grid it stands, but for the net: `seed0-learning_rate=1e-3`. Runs of one point are compared.
        file: the TOML file that it starts from, if any.
        changes: settings `section.key=value` on top of it.
        settings: what both make.
    """

    name: str
    point: str
    file: Path | None
    changes: tuple[str, ...]
    settings: config.Config


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read `0,1,2`.

    Raises:
        DemixError: for what is no whole number, and for a seed that is there twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,10}", part, re.ASCII) for part in parts):
        raise DemixError(f"--seeds: expected whole numbers and commas, received {text!r}; for example --seeds 0,1,2")
    seeds = tuple(int(part) for part in parts)
    if len(set(seeds)) < len(seeds):
        raise DemixError(f"--seeds: expected every seed once, received {text!r}; leave out what is there twice")
    return seeds


def parse_vary(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `section.key=value,value` into the values of each key, every value the text that `--set` takes.

    A value may itself hold commas, as TOML: `[4, 8],[8, 16]` are two.

    Raises:
        DemixError: for another form, a value that is left out, a key that is there twice, and a key or a value that
            no run can have.
    """
    vary: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, listed = text.partition("=")
        key, values = key.strip(), _split_values(listed)
        if not equals or "." not in key or "" in values:
            raise DemixError(
                f"--vary {text}: expected section.key=value,value, for example training.learning_rate=1e-3,3e-3"
            )
        if key in vary:
            raise DemixError(f"--vary {key}: expected once, received again; write all its values behind one --vary")
        for value in values:
            try:
                config.load_config(None, [f"{key}={value}"])
            except DemixError as error:
                raise DemixError(f"--vary {key}={value}: {str(error).removeprefix('--set: ')}") from error
        vary[key] = tuple(values)
    return vary


def plan_sweep(
    name: str,
    *,
    files: Sequence[Path],
    nets: Sequence[str],
    seeds: Sequence[int],
    vary: Mapping[str, Sequence[str]],
    changes: Sequence[str] = (),
) -> list[SweepRun]:
    """Plan every run of a grid, runs that differ in the net alone side by side.

    Args:
        name: of the sweep, which every run's name begins with.
        files: TOML files, one for each net.
        nets: what is trained without `files`: keys of `demix.models.MODELS`.
        seeds: of initial weights and batches.
        vary: values of each key, as `parse_vary` returns them.
        changes: settings `section.key=value` of every run.

    Returns:
        `len(files or nets) * len(seeds) * values...` runs, whose names are all folder names and all different.

    Raises:
        DemixError: for a name that is no folder's name or too long, two runs of one name or of the same settings, a
            setting that both the grid and `changes` decide, and settings that no run can have.
    """
    if not name or name != _safe(name) or name.startswith("-"):
        raise DemixError(f"NAME: expected letters, digits and . _ + - inside, received {name!r}; choose another name")
    _check_keys(vary, changes, with_files=bool(files))
    # A file that is named after the sweep, as musdb18-unet.toml in a sweep musdb18, need not say so twice.
    starts: list[tuple[str, Path | None, list[str]]]
    starts = [(_safe(file.stem.removeprefix(f"{name}-")), file, []) for file in files]
    starts = starts or [(net, None, [f'model.name="{net}"']) for net in nets]
    runs = []
    for *values, seed in product(*vary.values(), map(str, seeds)):
        varied = dict(zip(vary, values, strict=True))
        parts = [f"seed{seed}", *(f"{key.rpartition('.')[2]}={_safe(value)}" for key, value in varied.items())]
        point = "-".join(parts)
        for net, file, which in starts:
            own = [*which, f"training.seed={seed}", *(f"{key}={value}" for key, value in varied.items())]
            settings = config.load_config(file, [*changes, *own])
            runs.append(SweepRun(f"{name}-{net}-{point}", point, file, (*changes, *own), settings))
    _check_runs(runs)
    return runs


def train_command(run: SweepRun, checkpoints: Path) -> list[str]:
    """Return the command that trains a run, or goes on with it; with this Python, wherever it is on the path."""
    changes = [part for change in run.changes for part in ("--set", change)]
    file = ["--", str(run.file)] if run.file else []
    start = [sys.executable, "-m", "demix", "train", "--resume"]
    return [*start, "--checkpoints", str(checkpoints), "--name", run.name, *changes, *file]


def shell_line(command: Sequence[str]) -> str:
    """Return a command as one line for a shell.

    Raises:
        DemixError: where a line break in it would make two lines.
    """
    line = shlex.join(command)
    if "\n" in line:
        raise DemixError(f"--list: expected settings on one line each, received {line!r}; write them on one line")
    return line


def _split_values(text: str) -> list[str]:
    """Cut at the commas between values; those inside a list, a table or quotes stay."""
    values, begun = [], ""
    for part in text.split(","):
        begun += part
        if begun.lstrip()[:1] in ("[", "{", '"', "'") and not _is_toml(begun):
            begun += ","  # one of the value's own commas, or a value that does not end, which the setting's check tells
            continue
        values.append(begun.strip())
        begun = ""
    return [*values, begun.strip(", ")] if begun else values


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _safe(text: str) -> str:
    """Return a text as a part of a folder's name: `[4, 8]` becomes `4_8`."""
    return _UNSAFE.sub("_", text).strip("_.")


def _check_keys(vary: Mapping[str, Sequence[str]], changes: Sequence[str], *, with_files: bool) -> None:
    """Raise `DemixError` where one of two settings would silently win."""
    for key, instead in (("training.seed", "--seeds"), ("model.name", "one CONFIG for each net")):
        if key in vary:
            raise DemixError(f"--vary {key}: expected another key, the grid has this one already; give {instead}")
    decided = ["training.seed", *vary] + ([] if with_files else ["model.name"])
    keys = [change.partition("=")[0].strip() for change in changes]
    for place, key in enumerate(decided):
        for other in (*decided[place + 1 :], *keys):
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                raise DemixError(
                    f"{other}: expected not to be set, since the grid decides {key} of every run; leave it out"
                )


def _check_runs(runs: Sequence[SweepRun]) -> None:
    """Raise `DemixError` unless every run has a folder of its own and something of its own to train."""
    names: set[str] = set()
    seen: dict[str, str] = {}
    for run in runs:
        if len(run.name.encode()) > MAX_NAME_BYTES:
            raise DemixError(
                f"{run.name}: expected a folder name of at most {MAX_NAME_BYTES} bytes, received "
                f"{len(run.name.encode())}; shorten NAME or vary fewer settings"
            )
        if run.name.casefold() in names:  # some file systems do not tell capitals apart
            raise DemixError(
                f"{run.name}: two runs of the grid would be called so; give CONFIG files names, and --vary values, "
                "that differ in letters or digits"
            )
        first = seen.setdefault(repr(run.settings), run.name)
        if first != run.name:
            raise DemixError(f"{first} and {run.name}: are the same training; leave one of them out of the grid")
        names.add(run.name.casefold())
