"""The runs of a protocol: trials of learning rates, the nets with every seed, the controls."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from demix.compare import PlannedRun, check_alike, check_starts
from demix.data.loop_patterns import Loops
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.evaluation.loops import check_middle
from demix.models import build_net
from demix.protocol import Protocol, Variant, settings_of
from demix.training.loop import NotFiniteError, TrainEvent, train

TRIALS = "choose learning rates"
Tell = Callable[[str, float, float, str], None]  # stage, done, total, detail


@dataclass(frozen=True)
class Trial:
    """One trial of a learning rate, a row of trials.csv."""

    net: str
    learning_rate: float
    steps: int
    valid_sdr: float
    chosen: bool = False


@dataclass(frozen=True)
class Trained:
    """One run: a net or control, a seed, a folder."""

    variant: Variant
    seed: int
    run: PlannedRun


def check_variants(plan: Protocol, path: Path) -> None:
    """Raise `DemixError` for what would fail or be unfair after hours: before anything is trained.

    Both nets have to be alike in all but the net, and a control like its net in all but the net or the segments.
    """
    if plan.loops.bases:
        check_middle(Loops(**asdict(plan.loops)))
    if any(net.of for net in plan.nets):
        raise DemixError(f"{path}: nets: expected no `of`, which makes a control; leave it out or write [[controls]]")
    seed = f"training.seed={plan.seeds[0]}"
    for control in (False, True) if plan.controls else (False,):
        nets = {net.group: settings_of(plan, net, path, seed, control=control) for net in plan.nets}
        check_alike([PlannedRun(Path(group), settings) for group, settings in nets.items()])
        first, second = (settings.training for settings in nets.values())
        _check_same(f"{path}: [training]", first, second, apart=("learning_rate", "device"))
    for variant in plan.controls:
        plain, varied = nets[variant.of], settings_of(plan, variant, path, seed, control=True)
        where = f"{path}: {variant.group}"
        if variant.file:
            raise DemixError(f"{where}: file: expected none, since a control has that of its net; leave it out")
        build_net(varied)
        _check_same(where, plain, varied, apart=("model", "data", "speed"))
        _check_same(f"{where}: [data]", plain.data, varied.data, apart=("segment_seconds", "batch_size"))
        _check_same(f"{where}: [model]", plain.model, varied.model, apart=("options",))
        _check_same(f"{where}: [speed]", plain.speed, varied.speed, apart=set(vars(plain.speed)) - {"precision"})


def _check_same(where: str, here: object, there: object, *, apart: Collection[str]) -> None:
    for key, value in vars(here).items():
        other = getattr(there, key)
        if key not in apart and value != other:
            raise DemixError(f"{where}: {key}: expected the same in both nets, received {value} and {other}")


def choose_learning_rates(
    plan: Protocol, path: Path, *, checkpoints: Path, tracks: Sequence[StoredTrack], tell: Tell
) -> list[Trial]:
    """Train every net with every learning rate for a while; the validation songs choose.

    The first seed of the protocol is used, and the test songs are not touched. Of two rates that score alike the lower
    one is taken; a rate at which the loss becomes infinite loses.

    Returns:
        A trial per net and rate; none where the protocol has no rates.
    """
    trials: list[Trial] = []
    runs = []
    for net in plan.nets:
        for rate in plan.learning_rates.values:
            steps = plan.learning_rates.steps
            more = (f"training.learning_rate={rate}", f"training.steps={steps}", f"training.valid_every={steps}")
            name = f"{plan.name}-trial-{net.group}-{rate:g}"
            settings = settings_of(plan, net, path, f"training.seed={plan.seeds[0]}", *more)
            runs.append((net, rate, PlannedRun(checkpoints / name, settings)))
    check_starts([run for *_, run in runs])
    done = _Count(TRIALS, [run for *_, run in runs], tell)
    for net, rate, run in runs:
        score = _train(run, tracks, done)
        trials.append(Trial(net.group, rate, run.settings.training.steps, score))
    for net in plan.nets:
        own = [trial for trial in trials if trial.net == net.group]
        if own:
            best = max(own, key=lambda trial: (trial.valid_sdr, -trial.learning_rate))
            trials[trials.index(best)] = replace(best, chosen=True)
    return trials


def train_nets(
    plan: Protocol,
    path: Path,
    *,
    rates: Mapping[str, float],
    checkpoints: Path,
    tracks: Sequence[StoredTrack],
    tell: Tell,
    controls: bool = False,
) -> list[Trained]:
    """Train both nets with every seed, or the controls with the plain nets under the controls' budget.

    Args:
        plan: the protocol.
        path: its file.
        rates: the learning rate of each net; a control has that of the net that it varies.
        checkpoints: where run folders lie.
        tracks: prepared songs.
        tell: told about progress.
        controls: train the controls.

    Returns:
        A run per net and seed, the seeds of every net in the same order.

    Raises:
        DemixError: for nets that would not see the same batches, and whatever training raises.
    """
    variants: Iterable[Variant] = (*plan.nets, *plan.controls) if controls else plan.nets
    prefix = f"{plan.name}-control" if controls else plan.name
    runs = []
    for variant in variants:
        for seed in plan.control_seeds if controls else plan.seeds:
            net = variant.of or variant.group
            rate = [f"training.learning_rate={rates[net]}"] if net in rates else []
            settings = settings_of(plan, variant, path, f"training.seed={seed}", *rate, control=controls)
            run = PlannedRun(checkpoints / f"{prefix}-{variant.group}-{seed}", settings)
            runs.append(Trained(variant, seed, run))
    plain = [trained for trained in runs if not trained.variant.of]
    for seed in {trained.seed for trained in plain}:
        check_alike([trained.run for trained in plain if trained.seed == seed])
    check_starts([trained.run for trained in runs])
    stage = "train controls" if controls else "train nets"
    done = _Count(stage, [trained.run for trained in runs], tell)
    for trained in runs:
        _train(trained.run, tracks, done)
    return runs


class _Count:
    """Steps done of all runs of one stage."""

    def __init__(self, stage: str, runs: Sequence[PlannedRun], tell: Tell) -> None:
        self.stage, self.tell, self.runs, self.before = stage, tell, len(runs), 0
        self.total = sum(run.settings.training.steps for run in runs)
        self.number = 0

    def begin(self, run: PlannedRun) -> Callable[[TrainEvent], None]:
        """Return the listener for the next run."""
        self.number += 1

        def listen(event: TrainEvent) -> None:
            detail = f"{run.folder.name} ({self.number} of {self.runs})"
            if event.phase == "warning":
                detail = event.message
            elif event.loss is not None:
                detail += f", step {event.step}/{event.steps}, loss {event.loss:.3f}"
            self.tell(self.stage, self.before + event.step, self.total, detail)

        return listen

    def end(self, run: PlannedRun) -> None:
        """Count the run as done; one that was there already has told nothing."""
        self.before += run.settings.training.steps
        self.tell(self.stage, self.before, self.total, run.folder.name)


def _train(run: PlannedRun, tracks: Sequence[StoredTrack], done: _Count) -> float:
    """Train a run, or go on with it; return its best validation score in dB, -inf for a trial that left all bounds."""
    try:
        progress = train(run.settings, run.folder, tracks=tracks, resume=True, on_event=done.begin(run))
    except NotFiniteError:
        if done.stage != TRIALS:
            raise
        return float("-inf")
    finally:
        done.end(run)
    return float("-inf") if progress.best_sdr is None else progress.best_sdr


def chosen_rates(trials: Sequence[Trial]) -> dict[str, float]:
    """Return the learning rate that the trials chose, by net."""
    return {trial.net: trial.learning_rate for trial in trials if trial.chosen}
