"""Training: learns, is repeatable, survives being killed, refuses what cannot work."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from demix.config import Training, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.runtime import BEST_FILE, HISTORY_FILE, RUN_FILE, load_run
from demix.training import engine, feed
from demix.training.checkpoint import LAST_FILE
from demix.training.engine import learning_rate
from demix.training.history import COLUMNS
from demix.training.loop import TrainEvent, train

Settings = Callable[..., list[str]]


@pytest.fixture(scope="module")
def store(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    prepare(open_dataset(songs_folder), folder)
    return folder


@pytest.fixture(scope="module")
def tracks(store: Path) -> list[StoredTrack]:
    return open_store(store)


def assert_same_weights(first: Path, second: Path, file: str = LAST_FILE) -> None:
    one, other = load_file(first / file), load_file(second / file)
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key


@pytest.mark.parametrize("net", ["unet", "vit"])
def test_one_batch_can_be_learnt_by_heart(
    net: str, nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = feed.draw_batch
    monkeypatch.setattr(feed, "draw_batch", lambda *a, step, **k: real(*a, step=0, **k))
    more = ("training.steps=60", "training.valid_every=60", "training.learning_rate=0.02")
    losses: list[float] = []

    def listen(event: TrainEvent) -> None:
        if event.phase == "train" and event.loss is not None:
            losses.append(event.loss)

    train(load_config(None, nano_settings(net, *more)), tmp_path / net, tracks=tracks, on_event=listen)
    assert len(losses) == 60
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.2  # 2 dB in both parts together


def test_run_folder_holds_what_rebuilds_the_net(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    settings = load_config(None, nano_settings())
    end = train(settings, tmp_path / "run", tracks=tracks)
    record = json.loads((tmp_path / "run" / RUN_FILE).read_text())
    assert record["seed"] == 0
    assert record["tracks"] == {"train": {"song-train": 88_200}, "valid": {"song-valid": 88_200}}
    assert record["machine"]["torch"] == torch.__version__
    run = load_run(tmp_path / "run", device="cpu")
    assert run.config == settings
    assert record["parameters"] == sum(value.numel() for value in run.net.parameters())
    assert not run.net.training
    with (tmp_path / "run" / HISTORY_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    scores = [float(row["valid_sdr"]) for row in rows if row["valid_sdr"]]
    assert len(scores) == 3
    assert end.best_sdr == pytest.approx(max(scores), abs=1e-4)
    assert run.step == [2, 4, 6][int(np.argmax(scores))]
    best = load_file(tmp_path / "run" / BEST_FILE)
    assert best.keys() == run.net.state_dict().keys()


def test_two_runs_with_one_seed_end_with_the_same_weights_and_another_seed_does_not(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(load_config(None, nano_settings("vit", f"training.seed={seed}")), tmp_path / name, tracks=tracks)
    a, b, c = (load_file(tmp_path / name / BEST_FILE) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("net", ["unet", "vit"])
@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    net: str, stop_at: int, nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    class InterruptionError(Exception):
        pass

    def stop(event: TrainEvent) -> None:
        if event.step == stop_at:
            raise InterruptionError

    settings = load_config(None, nano_settings(net))
    train(settings, tmp_path / "whole", tracks=tracks)
    with pytest.raises(InterruptionError):
        train(settings, tmp_path / "cut", tracks=tracks, on_event=stop)
    end = train(settings, tmp_path / "cut", tracks=tracks, resume=True)
    assert end.step == 6
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut", BEST_FILE)
    histories = [(tmp_path / name / HISTORY_FILE).read_text().splitlines() for name in ("whole", "cut")]
    without_time = [[[*row.split(",")[:1], *row.split(",")[2:]] for row in rows] for rows in histories]
    assert without_time[0] == without_time[1]


def test_killed_for_real_and_resumed(
    nano_settings: Settings, store: Path, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    """SIGKILL in the middle, from outside, at a moment nobody chose."""
    options = nano_settings("unet", "training.steps=40", "training.valid_every=4")
    script = (
        "import sys, pathlib\nfrom demix.config import load_config\nfrom demix.data.store import open_store\n"
        "from demix.training.loop import train\n"
        "store, run, *options = sys.argv[1:]\n"
        "train(load_config(None, options), pathlib.Path(run), tracks=open_store(pathlib.Path(store)))\n"
    )
    run = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", script, str(store), str(run), *options])
    deadline = time.monotonic() + 120
    while not (run / LAST_FILE).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    settings = load_config(None, options)
    train(settings, tmp_path / "whole", tracks=tracks)
    train(settings, run, tracks=tracks, resume=True)
    assert_same_weights(tmp_path / "whole", run)


def test_finished_run_stays_as_it_is(nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path) -> None:
    settings = load_config(None, nano_settings())
    train(settings, tmp_path / "run", tracks=tracks)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    events: list[TrainEvent] = []
    assert train(settings, tmp_path / "run", tracks=tracks, resume=True, on_event=events.append).step == 6
    assert events == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_existing_run_is_not_overwritten_and_other_settings_are_named(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    train(load_config(None, nano_settings()), tmp_path / "run", tracks=tracks)
    with pytest.raises(DemixError, match="holds a run already"):
        train(load_config(None, nano_settings()), tmp_path / "run", tracks=tracks)
    other = load_config(None, nano_settings("unet", "training.learning_rate=0.5"))
    with pytest.raises(DemixError, match=r"training.learning_rate = 0.003, not 0.5"):
        train(other, tmp_path / "run", tracks=tracks, resume=True)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").write_text("dear diary")
    with pytest.raises(DemixError, match="found other files"):
        train(load_config(None, nano_settings()), strange, tracks=tracks)


def test_loss_that_is_not_finite_stops_with_the_remedy(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.band_loss

    def explode(*arguments: object, **named: object) -> torch.Tensor:
        return real(*arguments, **named) * (math.nan if explode.calls > 2 else 1)  # type: ignore[arg-type]

    explode.calls = 0  # type: ignore[attr-defined]

    def count(event: TrainEvent) -> None:
        explode.calls = event.step  # type: ignore[attr-defined]

    monkeypatch.setattr(engine, "band_loss", explode)
    with pytest.raises(DemixError, match=r"loss became nan at step 4; .* lower training.learning_rate"):
        train(load_config(None, nano_settings()), tmp_path / "run", tracks=tracks, on_event=count)
    for value in load_file(tmp_path / "run" / LAST_FILE).values():
        assert torch.isfinite(value).all()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("spectral.hop_length=3000", "hop_length: expected a divisor"),
        ("data.segment_seconds=60", "shorten the segment"),
        ("training.device=mps", "expected one that is here"),
    ],
)
def test_impossible_training_leaves_no_run_behind(
    setting: str, says: str, nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    with pytest.raises(DemixError, match=says):
        train(load_config(None, nano_settings("unet", setting)), tmp_path / "run", tracks=tracks)
    assert not (tmp_path / "run").exists()


def test_without_validation_songs_nothing_is_trained(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    learnt = [track for track in tracks if track.split == "train"]
    with pytest.raises(DemixError, match="at least one song in split valid"):
        train(load_config(None, nano_settings()), tmp_path / "run", tracks=learnt)


def test_test_songs_do_not_matter(nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path) -> None:
    settings = load_config(None, nano_settings())
    train(settings, tmp_path / "with", tracks=tracks)
    train(settings, tmp_path / "without", tracks=[track for track in tracks if track.split != "test"])
    assert_same_weights(tmp_path / "with", tmp_path / "without")


def test_full_disk_is_one_sentence_and_keeps_the_checkpoint(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_config(None, nano_settings())
    run = tmp_path / "run"

    def fill(event: TrainEvent) -> None:
        if event.step == 3:
            kept.write_bytes((run / LAST_FILE).read_bytes())
            monkeypatch.setattr(Path, "open", full)

    def full(path: Path, mode: str = "r", *arguments: object, **named: object) -> object:
        if "w" in mode:
            raise OSError(28, "No space left on device")
        return real(path, mode, *arguments, **named)  # type: ignore[call-overload]

    real, kept = Path.open, tmp_path / "kept"
    with pytest.raises(DemixError, match="No space left on device"):
        train(settings, run, tracks=tracks, on_event=fill)
    monkeypatch.undo()
    assert (run / LAST_FILE).read_bytes() == kept.read_bytes()
    assert not list(run.glob(".*"))
    train(settings, run, tracks=tracks, resume=True)
    train(settings, tmp_path / "whole", tracks=tracks)
    assert_same_weights(run, tmp_path / "whole")


def test_what_is_no_run_folder_is_told_apart(
    nano_settings: Settings, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    with pytest.raises(DemixError, match="expected a run folder"):
        load_run(tmp_path)
    (tmp_path / RUN_FILE).write_text("{")
    with pytest.raises(DemixError, match="expected JSON"):
        load_run(tmp_path)
    (tmp_path / RUN_FILE).write_text("[]")
    with pytest.raises(DemixError, match="expected a run's settings"):
        load_run(tmp_path)
    run = tmp_path / "run"
    train(load_config(None, nano_settings()), run, tracks=tracks)
    other = shutil.copytree(run, tmp_path / "other")
    record = json.loads((other / RUN_FILE).read_text())
    record["config"]["model"]["options"]["head_maps"] = 3
    (other / RUN_FILE).write_text(json.dumps(record))
    with pytest.raises(DemixError, match="expected the weights of this run's net"):
        load_run(other)
    (run / BEST_FILE).unlink()
    with pytest.raises(DemixError, match=r"has no best\.safetensors yet"):
        load_run(run)


def test_learning_rate_rises_then_falls_to_zero() -> None:
    options = Training(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(options, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1, abs=0.03)
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[-1] < 1e-3


def test_training_needs_numpy_torch_and_safetensors_only(nano_settings: Settings, store: Path, tmp_path: Path) -> None:
    """A bare GPU machine has nothing else; everything that decodes or plots is kept away."""
    script = (
        "import sys, pathlib\n"
        "for name in ('av', 'soundfile', 'soxr', 'scipy', 'librosa', 'matplotlib', 'pandas', 'typer', 'rich'):\n"
        "    sys.modules[name] = None\n"
        "from demix.config import load_config\nfrom demix.data.store import open_store\n"
        "from demix.training.loop import train\n"
        "store, run, *options = sys.argv[1:]\n"
        "train(load_config(None, options), pathlib.Path(run), tracks=open_store(pathlib.Path(store)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(store), str(tmp_path / "run"), *nano_settings("vit")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / BEST_FILE).is_file()
