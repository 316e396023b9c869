"""Progress bars: what is being done, how far it is, how long it will take."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import progress as bars
from rich.console import Console

if TYPE_CHECKING:
    from demix.compare import PlannedRun
    from demix.data.store import PrepareEvent
    from demix.evaluation.evaluate import EvaluateEvent
    from demix.evaluation.probes.run import ProbeEvent
    from demix.training.loop import TrainEvent


class Bars:
    """One bar for each stage of the work, made when the stage begins; a `demix.compare.Listener`."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._progress = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.TaskProgressColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[detail]}", markup=False),
            console=self.console,
            speed_estimate_period=120,
        )
        self._tasks: dict[str, bars.TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_prepare(self, event: "PrepareEvent") -> None:
        """Show that a song is prepared."""
        self._show("prepare songs", event.done, event.total, event.name)

    def on_train(self, run: "PlannedRun", event: "TrainEvent") -> None:
        """Show a training step or a validation."""
        self.show_training(run.folder.name, event)

    def show_training(self, name: str, event: "TrainEvent") -> None:
        """Show a training step, a validation or a warning of the run `name`."""
        if event.phase == "warning":
            self.console.print(f"demix: {event.message}", markup=False, soft_wrap=True)
            return
        parts = [f"step {event.step}/{event.steps}"]
        if event.phase == "validate":
            parts.append(f"scoring validation song {event.share:.0%}")
        elif event.loss is not None:
            parts.append(f"loss {event.loss:.3f}")
        if event.valid_sdr is not None:
            parts.append(f"valid SDR {event.valid_sdr:.2f} dB")
        self._show(f"train {name}", event.step, event.steps, ", ".join(parts))

    def on_bench(self, name: str, done: int, total: int) -> None:
        """Show what is measured."""
        self._show("measure", done, total, name)

    def on_evaluate(self, event: "EvaluateEvent") -> None:
        """Show a system separating a song."""
        self._show("score", event.done, event.total, f"{event.system} on {event.track}")

    def on_probe(self, event: "ProbeEvent") -> None:
        """Show which probe is at work."""
        self._show("probe", event.done, event.total, f"{event.system} on {event.track}: {event.what}")

    def _show(self, name: str, done: float, total: float, detail: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, detail=detail)
        self._progress.update(self._tasks[name], completed=done, total=total, detail=detail)
