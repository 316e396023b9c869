"""Checkpoints: everything needed to go on, on a schedule, with the one before in reserve."""

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from demix.config import load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.training import loop
from demix.training.checkpoint import LAST_FILE, PREVIOUS_FILE
from demix.training.loop import TrainEvent, train

Settings = Callable[..., list[str]]


@pytest.fixture(scope="module")
def tracks(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[StoredTrack]:
    folder = tmp_path_factory.mktemp("store")
    prepare(open_dataset(songs_folder), folder)
    return open_store(folder)


@pytest.fixture(scope="module")
def whole(tracks: list[StoredTrack], nano_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of six steps that nothing disturbed, with checkpoints after steps 2, 4 and 6."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(load_config(None, nano_settings("vit")), folder, tracks=tracks)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "run")


def step_of(path: Path) -> int:
    with safe_open(path, framework="pt") as file:
        return int(json.loads(file.metadata()["progress"])["step"])


def assert_same(first: Path, second: Path) -> None:
    one, other = load_file(first), load_file(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_last_and_previous_are_those_of_the_last_two_moments(whole: Path) -> None:
    assert (step_of(whole / LAST_FILE), step_of(whole / PREVIOUS_FILE)) == (6, 4)
    assert sorted(path.name for path in whole.iterdir()) == [
        "best.safetensors", "history.csv", LAST_FILE, PREVIOUS_FILE, "run.json",
    ]  # fmt: skip


def test_checkpoint_carries_all_that_changes(
    whole: Path, nano_settings: Settings, tracks: list, tmp_path: Path
) -> None:
    names = {name.split(".")[0] for name in load_file(whole / LAST_FILE)}
    assert names == {"model", "ema", "optimiser", "random"}
    half = load_config(None, nano_settings("vit", "speed.precision=float16"))
    train(half, tmp_path / "half", tracks=tracks)
    tensors = load_file(tmp_path / "half" / LAST_FILE)
    assert tensors["scaler.scale"] > 1
    assert tensors["scaler.growth_tracker"] == 6  # the run's six steps, none of them left out


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_run_that_draws_random_numbers_goes_on_as_if_nothing_had_happened(
    precision: str, nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our nets draw none, one with dropout would: here the loss draws."""
    from demix.training import engine

    real = engine.band_loss
    monkeypatch.setattr(engine, "band_loss", lambda *a, **k: real(*a, **k) * (1 + torch.rand(())))
    more = (f"speed.precision={precision}", "training.checkpoint_every=1")
    settings = load_config(None, nano_settings("vit", *more))
    train(settings, tmp_path / "whole", tracks=tracks)

    def stop(event: TrainEvent) -> None:
        if event.step == 4 and event.phase == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "cut", tracks=tracks, on_event=stop)
    assert step_of(tmp_path / "cut" / LAST_FILE) == 3
    train(settings, tmp_path / "cut", tracks=tracks, resume=True)
    assert_same(tmp_path / "whole" / LAST_FILE, tmp_path / "cut" / LAST_FILE)


@pytest.mark.parametrize("damage", ["empty", "nonsense", "cut", "missing"])
def test_damaged_last_one_falls_back_to_the_one_before_with_a_warning(
    damage: str, run: Path, whole: Path, nano_settings: Settings, tracks: list[StoredTrack]
) -> None:
    path = run / LAST_FILE
    content = path.read_bytes()
    if damage == "missing":  # killed between two renamings
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "nonsense": b"nonsense" * 9, "cut": content[:-100]}[damage])
    events: list[TrainEvent] = []
    end = train(load_config(None, nano_settings("vit")), run, tracks=tracks, resume=True, on_event=events.append)
    warnings = [event.message for event in events if event.phase == "warning"]
    assert [event.step for event in events if event.phase == "train"] == [5, 6]
    assert end.step == 6
    assert_same(run / LAST_FILE, whole / LAST_FILE)
    assert step_of(run / PREVIOUS_FILE) == 4
    if damage == "missing":
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert "last.safetensors: expected a checkpoint of this run, but" in warnings[0]
        assert warnings[0].endswith("going on with the one before it, of step 4")


def test_damage_to_both_is_named(run: Path, nano_settings: Settings, tracks: list[StoredTrack]) -> None:
    for name in (LAST_FILE, PREVIOUS_FILE):
        (run / name).write_bytes(b"")
    with pytest.raises(DemixError, match=r"last\.safetensors: expected a checkpoint.*delete the run"):
        train(load_config(None, nano_settings("vit")), run, tracks=tracks, resume=True)


def test_checkpoint_of_another_net_is_named(run: Path, nano_settings: Settings, tracks: list, tmp_path: Path) -> None:
    train(load_config(None, nano_settings("unet")), tmp_path / "other", tracks=tracks)
    shutil.copy(tmp_path / "other" / LAST_FILE, run / LAST_FILE)
    with pytest.raises(DemixError, match="expected a checkpoint of this run"):
        train(load_config(None, nano_settings("vit")), run, tracks=tracks, resume=True)


def saved_steps(
    settings: list[str], run: Path, tracks: list[StoredTrack], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    steps: list[int] = []
    real = loop.save_checkpoint

    def spy(folder: Path, *, engine: object, progress: object) -> None:
        steps.append(progress.step)  # type: ignore[attr-defined]
        real(folder, engine=engine, progress=progress)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "save_checkpoint", spy)
    train(load_config(None, settings), run, tracks=tracks)
    return steps


def test_schedule_in_steps(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = nano_settings("vit", "training.valid_every=4", "training.checkpoint_every=3")
    assert saved_steps(settings, tmp_path / "run", tracks, monkeypatch) == [3, 4, 6]


def test_schedule_in_minutes(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 7.0  # a step asks twice, so it takes 14 s and more
        return now

    monkeypatch.setattr(loop.time, "monotonic", clock)
    settings = nano_settings("vit", "training.valid_every=6", "training.checkpoint_minutes=0.4")
    steps = saved_steps(settings, tmp_path / "run", tracks, monkeypatch)
    assert 6 in steps
    assert 2 <= len(steps) <= 4  # 24 s are two steps


@pytest.mark.parametrize("stop_at", [3, 5])
def test_history_of_a_resumed_run_is_that_of_an_uninterrupted_one_when_rows_span_steps(
    stop_at: int, nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "HISTORY_ROWS", 2)  # a row every three steps
    settings = load_config(None, nano_settings("vit", "training.valid_every=6", "training.checkpoint_every=1"))

    def stop(event: TrainEvent) -> None:
        if event.step == stop_at:
            raise KeyboardInterrupt

    losses: list[float] = []

    def note(event: TrainEvent) -> None:
        if event.phase == "train" and event.loss is not None:
            losses.append(event.loss)

    train(settings, tmp_path / "whole", tracks=tracks, on_event=note)
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "cut", tracks=tracks, on_event=stop)
    train(settings, tmp_path / "cut", tracks=tracks, resume=True)
    rows = [(tmp_path / name / "history.csv").read_text().splitlines() for name in ("whole", "cut")]
    for row, of_row in zip(rows[0][1:], (losses[:3], losses[3:]), strict=True):
        assert float(row.split(",")[2]) == pytest.approx(np.mean(of_row), rel=1e-5)
    whole, cut = ([[*row.split(",")[:1], *row.split(",")[2:]] for row in table] for table in rows)
    assert len(whole) == 3
    assert whole == cut


def test_old_checkpoint_and_other_speed_may_go_on(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    def stop(event: TrainEvent) -> None:
        if event.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_config(None, nano_settings("vit")), tmp_path / "run", tracks=tracks, on_event=stop)
    other = load_config(
        None, nano_settings("vit", "speed.precision=float16", "speed.micro_batch=1", "training.checkpoint_every=1")
    )
    assert train(other, tmp_path / "run", tracks=tracks, resume=True).step == 6


@pytest.mark.parametrize("switches", [("true", "true"), ("false", "true"), ("true", "false")])
def test_resumed_run_ends_with_the_same_weights_however_maps_lie_in_memory(
    switches: tuple[str, str], nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    """A fused AdamW walks through weights and their moments side by side, and does not look at strides."""
    before, after = (
        load_config(None, nano_settings("unet", f"speed.channels_last={switch}", "training.checkpoint_every=1"))
        for switch in switches
    )

    def stop(event: TrainEvent) -> None:
        if event.step == 4:
            raise KeyboardInterrupt

    train(load_config(None, nano_settings("unet")), tmp_path / "whole", tracks=tracks)
    with pytest.raises(KeyboardInterrupt):
        train(before, tmp_path / "cut", tracks=tracks, on_event=stop)
    train(after, tmp_path / "cut", tracks=tracks, resume=True)
    one, other = (load_file(tmp_path / name / LAST_FILE) for name in ("whole", "cut"))
    for key in one:
        torch.testing.assert_close(other[key], one[key], rtol=0, atol=1e-4)


def test_time_trained_goes_on_and_leaves_validation_out(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.validate

    def slow(*arguments: object, **named: object) -> float:
        time.sleep(0.5)
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "validate", slow)
    started = time.monotonic()
    end = train(load_config(None, nano_settings("vit")), tmp_path / "run", tracks=tracks)
    assert math.isfinite(end.seconds)
    assert 0 < end.seconds <= time.monotonic() - started - 3 * 0.5
