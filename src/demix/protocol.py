"""A protocol: what is compared, how often, and what counts, written down before the numbers. `docs/protocol.md`.

A file in TOML. Nets and controls are lines of settings on the same code, as `--set` takes them; a net may begin from a
run's config file, whose path is relative to the protocol's.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from demix import config
from demix.config_toml import read_toml
from demix.errors import DemixError

MAX_NAME_BYTES = 100
METRIC = "sdr"  # the metric that decides; the other one may contradict it, and then nothing is decided

Section = TypeVar("Section")


@dataclass(frozen=True)
class Variant:
    """A net, or a control: a net changed in one thing.

    Args:
        group: what its runs are called, all seeds together.
        label: what readers are told.
        set: settings `section.key=value`.
        file: a run's config file that it starts from.
        of: for a control, the group of the net that it varies.
        aspect: for a control, what is varied: controls of one aspect are shown together.
    """

    group: str
    label: str
    set: tuple[str, ...] = ()
    file: str = ""
    of: str = ""
    aspect: str = ""


@dataclass(frozen=True)
class Rule:
    """What decides.

    Args:
        counts_db: the smallest paired mean difference that counts as one.
        alpha: Wilcoxon's p must lie below it, where it can be computed. The interval is one of 95 % in any case.
        power: chance with which a true difference of `counts_db` is to be found; gives the songs needed.
    """

    counts_db: float = 0.3
    alpha: float = 0.05
    power: float = 0.8


@dataclass(frozen=True)
class LearningRates:
    """How each net's learning rate is chosen: the same trials for every net, by the score on the validation songs.

    Args:
        values: what is tried; the best one is taken, the lower of two that score alike.
        steps: of each trial.
    """

    values: tuple[float, ...] = ()
    steps: int = 100


@dataclass(frozen=True)
class Probes:
    """How trained nets are probed; see `demix probe`.

    Args:
        frames: how many frames of each song are probed.
        radius_seconds: the largest radius of context.
        seeds: how many of each net's runs are probed, the first ones.
        songs: how many of the test songs, the first ones.
    """

    frames: int = 4
    radius_seconds: float = 10.0
    seeds: int = 1
    songs: int = 50


@dataclass(frozen=True)
class LoopSongs:
    """The counterfactual songs; see `demix.data.loops`.

    Args:
        bases: songs assembled, each in three conditions.
        seconds: length of each, best two training segments and a loop.
        loop_seconds: length of the loop; several must fit into a training segment.
        seed: of hits and patterns.
    """

    bases: int = 24
    seconds: float = 7.0
    loop_seconds: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Protocol:
    """All that is decided before the first number.

    Args:
        name: of the comparison, its runs and its results.
        nets: the two nets; the difference is the second less the first.
        seeds: every net is trained with each of them; at least 3 for a verdict that includes chance in training.
        set: settings of every run.
        rule: what decides.
        learning_rates: how they are chosen; without values the settings' own.
        controls: nets changed in one thing.
        control_seeds: seeds of the controls, and of the plain nets that are trained beside them.
        control_set: settings of all controls on top of `set`, as fewer steps.
        chunk_seconds: lengths of chunks in which the trained nets separate the test songs.
        probes: how nets are probed.
        loops: the counterfactual songs.
        text: the file itself.
    """

    name: str
    nets: tuple[Variant, ...]
    seeds: tuple[int, ...]
    set: tuple[str, ...] = ()
    rule: Rule = field(default_factory=Rule)
    learning_rates: LearningRates = field(default_factory=LearningRates)
    controls: tuple[Variant, ...] = ()
    control_seeds: tuple[int, ...] = ()
    control_set: tuple[str, ...] = ()
    chunk_seconds: tuple[float, ...] = ()
    probes: Probes = field(default_factory=Probes)
    loops: LoopSongs = field(default_factory=LoopSongs)
    text: str = ""


def read_protocol(path: Path) -> Protocol:
    """Read a protocol and check all of it.

    Raises:
        DemixError: for a file that is not there, wrong TOML, an unknown key, a value of another type, other than two
            nets, a group that is there twice, a control of no net, and settings that no run can have.
    """
    values = read_toml(path)
    protocol = _build(Protocol, values, str(path))
    protocol = dataclasses.replace(protocol, text=path.read_text(encoding="utf-8"))
    _check(protocol, path)
    return protocol


def settings_of(protocol: Protocol, variant: Variant, path: Path, *more: str, control: bool = False) -> config.Config:
    """Return the settings of one run: config file, protocol, control's budget, variant's own, `more`, in this order."""
    plain = next((net for net in protocol.nets if net.group == variant.of), variant)
    file = path.parent / plain.file if plain.file else None
    changes = [*protocol.set, *(protocol.control_set if control else ()), *plain.set]
    own = variant.set if plain is not variant else ()
    return config.load_config(file, [*changes, *more, *own])


def _build(kind: type[Section], values: Any, where: str) -> Section:
    """Build a dataclass from a table, its sections and lists of tables too."""
    if not isinstance(values, Mapping):
        raise DemixError(f"{where}: expected a table with keys, received {values!r}")
    hints = {key: hint for key, hint in get_type_hints(kind).items() if key != "text"}
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise DemixError(f"{where}: unknown key {unknown[0]}; expected one of {', '.join(hints)}")
    given: dict[str, Any] = {key: _convert(value, hints[key], f"{where}: {key}") for key, value in values.items()}
    needed = [
        each.name
        for each in dataclasses.fields(kind)  # type: ignore[arg-type]
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    ]
    missing = [key for key in needed if key not in given]
    if missing:
        raise DemixError(f"{where}: expected {', '.join(needed)}, found no {missing[0]}; add it")
    return kind(**given)


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Return a value of TOML as its field wants it."""
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)  # type: ignore[arg-type]
    inside = getattr(hint, "__args__", None)
    if inside:
        if not isinstance(value, list):
            raise DemixError(f"{where}: expected a list, received {value!r}")
        return tuple(_convert(item, inside[0], where) for item in value)
    allowed: tuple[type, ...] = (int, float) if hint is float else (hint,)
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise DemixError(f"{where}: expected {hint.__name__}, received {value!r}")
    return hint(value)


def _check(protocol: Protocol, path: Path) -> None:
    """Raise `DemixError` for what could not be run, before anything is."""
    groups = [variant.group for variant in (*protocol.nets, *protocol.controls)]
    nets = [net.group for net in protocol.nets]
    if not _is_name(protocol.name) or protocol.name.startswith((".", "-")):
        raise DemixError(f"{path}: name: expected a plain folder name, received {protocol.name!r}; leave out slashes")
    if len(nets) != 2:
        raise DemixError(f"{path}: nets: expected two to compare, received {len(nets)}")
    alike = [group.casefold() for group in groups]  # some file systems do not tell capitals apart
    for group in groups:  # a run `<name>-control-vit-0` is that of a control
        if not _is_name(group) or alike.count(group.casefold()) > 1 or group.startswith(("control-", "trial-")):
            raise DemixError(f"{path}: group: expected plain names, each once, received {group!r}; choose another")
    for name, seeds, least in (("seeds", protocol.seeds, 1), ("control_seeds", protocol.control_seeds, 0)):
        if len(seeds) < least or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
            raise DemixError(f"{path}: {name}: expected numbers from 0 on, each once, received {list(seeds)}")
    for name, values in (("chunk_seconds", protocol.chunk_seconds), ("values", protocol.learning_rates.values)):
        if len({f"{value:g}" for value in values}) < len(values):  # as runs and rows are called
            raise DemixError(f"{path}: {name}: expected each once, received {list(values)}; leave out what is twice")
    if protocol.controls and not protocol.control_seeds:
        raise DemixError(f"{path}: control_seeds: expected at least one seed for the controls, received none")
    for control in protocol.controls:
        if control.of not in nets:
            raise DemixError(f"{path}: {control.group}: of: expected {' or '.join(nets)}, received {control.of!r}")
    _check_ranges(protocol, path)
    for variant in (*protocol.nets, *protocol.controls):
        settings_of(protocol, variant, path, control=variant in protocol.controls)


def _is_name(text: str) -> bool:
    return bool(text) and Path(text).name == text and text.isprintable() and len(text.encode()) <= MAX_NAME_BYTES


def _check_ranges(protocol: Protocol, path: Path) -> None:
    rule, rates, probes = protocol.rule, protocol.learning_rates, protocol.probes
    ranges: Sequence[tuple[str, float, float, float]] = (
        ("rule.counts_db", rule.counts_db, 0, 100),
        ("rule.alpha", rule.alpha, 1e-6, 0.5),
        ("rule.power", rule.power, 0.05, 0.999),
        ("learning_rates.steps", rates.steps, 1, 10**9),
        *(("learning_rates.values", value, 1e-9, 1) for value in rates.values),
        *(("chunk_seconds", value, 0.1, 120) for value in protocol.chunk_seconds),
        ("probes.frames", probes.frames, 1, 10**6),
        ("probes.radius_seconds", probes.radius_seconds, 0.2, 60),
        ("probes.seeds", probes.seeds, 0, 10**6),
        ("probes.songs", probes.songs, 1, 10**6),
        ("loops.bases", protocol.loops.bases, 0, 10**6),
        ("loops.seconds", protocol.loops.seconds, 4, 600),
        ("loops.loop_seconds", protocol.loops.loop_seconds, 1, 60),
    )
    for key, value, low, high in ranges:
        if not low <= value <= high:
            raise DemixError(f"{path}: {key}: expected {low:g} to {high:g}, received {value:g}")
