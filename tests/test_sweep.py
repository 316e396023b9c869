"""Sweeps: the grid and its names, runs one by one and all in turn, what fails and what is killed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from demix import sweep
from demix.config import load_config, to_dict
from demix.data import open_dataset
from demix.data.library import store_folder
from demix.data.segments import draw_batch, open_pool, segment_samples
from demix.data.store import open_store, prepare
from demix.runtime import HISTORY_FILE
from demix.sweep import SweepRun, parse_seeds, parse_vary, plan_sweep
from demix.training.checkpoint import LAST_FILE
from demix.training.loop import train

Settings = Callable[..., list[str]]
Call = Callable[..., int]
CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def work(songs_folder: Path, nano_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a prepared data set and a nano config for each net."""
    folder = tmp_path_factory.mktemp("work")
    prepare(open_dataset(songs_folder), folder / store_folder(str(songs_folder)))
    for net in ("unet", "vit"):
        lines = [f'data.dataset = "{songs_folder}"', 'training.device = "cpu"', f'model.name = "{net}"']
        lines += [text for text in nano_settings(net) if not text.startswith(("training.device", "model.name"))]
        (folder / f"{net}.toml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def demix(work: Path, call_demix: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command, run in the folder of the test."""
    monkeypatch.chdir(work)
    return call_demix


def plan(seeds: str = "0", vary: tuple[str, ...] = (), changes: tuple[str, ...] = ()) -> list[SweepRun]:
    return plan_sweep(
        "pilot", files=(), nets=("unet", "vit"), seeds=parse_seeds(seeds), vary=parse_vary(vary), changes=changes
    )


# ---- planning ----


def test_grid_holds_every_combination_once_and_settings_reach_the_runs() -> None:
    vary = ("training.learning_rate=1e-3,3e-3", "model.mask=softmax,sigmoid")
    runs = plan("0,1,2", vary, ("training.steps=7", "data.dataset=songs"))
    made = [run.settings for run in runs]
    points = {(s.model.name, s.training.seed, s.training.learning_rate, s.model.mask) for s in made}
    assert len(runs) == len(points) == len({run.name for run in runs}) == 2 * 3 * 2 * 2
    assert all(s.training.steps == 7 and s.data.dataset == "songs" for s in made)
    assert all(run.settings == load_config(None, run.changes) for run in runs)
    assert runs[-1].name == "pilot-vit-seed2-learning_rate=3e-3-mask=sigmoid"
    assert [run.name for run in plan("1")] == ["pilot-unet-seed1", "pilot-vit-seed1"]


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("model.options.widths=[4, 8],[8, 16]", ["widths=4_8", "widths=8_16"], [[4, 8], [8, 16]]),
        ("data.dataset=my songs,../b", ["dataset=my_songs", "dataset=b"], ["my songs", "../b"]),
        ('data.dataset="a, b",$(c)', ["dataset=a_b", "dataset=c"], ["a, b", "$(c)"]),
        ("augment.transpose={bass = [-5, 9]},{}", ["transpose=bass_-5_9", "transpose="], [{"bass": [-5, 9]}, {}]),
        ("augment.gain_db=0,6.5", ["gain_db=0", "gain_db=6.5"], [0, 6.5]),
    ],
)
def test_values_may_hold_commas_and_names_are_safe(text: str, names: list[str], values: list[object]) -> None:
    section, key = text.partition("=")[0].rpartition(".")[::2]
    runs = [run for run in plan(vary=(text,)) if "unet" in run.name]
    assert [run.name for run in runs] == [f"pilot-unet-seed0-{name}" for name in names]
    assert all(re.fullmatch(r"[\w.=+-]{1,100}", run.name, re.ASCII) for run in runs)
    settings = [to_dict(run.settings) for run in runs]
    found = [(one["model"]["options"] if section == "model.options" else one[section])[key] for one in settings]
    assert found == values


def test_config_files_are_nets_with_settings_on_top(work: Path) -> None:
    (work / "swept-vit.toml").write_text((work / "vit.toml").read_text() + "training.learning_rate = 0.5\n")
    vary = {"training.weight_decay": ("0", "0.1")}
    files = [work / "unet.toml", work / "swept-vit.toml"]
    runs = plan_sweep("swept", files=files, nets=("unet", "vit"), seeds=(3,), vary=vary, changes=["training.steps=9"])
    assert [run.name for run in runs[:2]] == ["swept-unet-seed3-weight_decay=0", "swept-vit-seed3-weight_decay=0"]
    assert [run.settings.training.weight_decay for run in runs] == [0, 0, 0.1, 0.1]
    assert [run.settings.training.learning_rate for run in runs] == [3e-3, 0.5, 3e-3, 0.5]
    assert {(run.settings.training.seed, run.settings.training.steps) for run in runs} == {(3, 9)}


def test_nets_of_one_seed_see_the_same_batches_and_other_seeds_others(work: Path, songs_folder: Path) -> None:
    songs = [track for track in open_store(work / store_folder(str(songs_folder))) if track.split == "train"]
    drawn: dict[str, list[bytes]] = {}
    for run in plan("0,1", ("augment.gain_db=3,6",), ("data.segment_seconds=0.5",)):
        data, seed = run.settings.data, run.settings.training.seed
        pool = open_pool(songs, segment_samples=segment_samples(data))
        draws = draw_batch(pool, data=data, settings=run.settings.augment, seed=seed, step=3)
        drawn.setdefault(run.point, []).append(b"".join(np.ascontiguousarray(part) for part in vars(draws).values()))
    assert len(drawn) == 4
    assert all(len(batches) == 2 and batches[0] == batches[1] for batches in drawn.values())
    assert len({batches[0] for batches in drawn.values()}) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "2"], ["--only", "expected 0 to 1, received 2"]),
        (["--only", "-1"], ["--only", "received -1"]),
        (["--seeds", "0,1,0"], ["--seeds", "every seed once"]),
        (["--seeds", ""], ["--seeds", "whole numbers"]),
        (["--seeds", "0,x"], ["--seeds", "'0,x'"]),
        (["--vary", "training.stepps=1,2"], ["--vary training.stepps=1: unknown key training.stepps"]),
        (["--vary", "training.steps="], ["--vary training.steps=", "expected section.key=value,value"]),
        (["--vary", "training.steps=1,,2"], ["expected section.key=value,value"]),
        (["--vary", "training.steps"], ["--vary training.steps: expected section.key=value,value"]),
        (["--vary", "steps=1,2"], ["--vary steps=1,2: expected section.key=value,value"]),
        (["--vary", "training.steps=1,x"], ["--vary training.steps=x", "expected int"]),
        (["--vary", "training.steps=1", "--vary", "training.steps=2"], ["--vary training.steps", "again"]),
        (["--vary", "training.seed=1,2"], ["--vary training.seed", "--seeds"]),
        (["--vary", "model.name=unet,vit"], ["--vary model.name", "CONFIG"]),
        (["--vary", "training.learning_rate=1e-3,0.001"], ["learning_rate=1e-3 and", "the same training"]),
        (["--vary", "data.dataset=a/b,a b"], ["pilot-unet-seed0-dataset=a_b: two runs"]),
        (["--vary", "model.options.depth=2,3"], ["unet cannot be built"]),
        (["--set", "training.seed=1"], ["training.seed", "leave it out"]),
        (["--set", "model.options.bands=9", "--vary", "model.options={}"], ["model.options.bands", "leave it out"]),
        (["--preset", "huge"], ["model.preset: expected one of tiny"]),
        (["--set", "data.dataset=a\nb"], ["--list", "on one line"]),
        (["unet.toml", "unet.toml"], ["pilot-unet-seed0: two runs"]),
        (["unet.toml", str(CONFIGS / "tiny-vit.toml")], ["[data] differs between the runs"]),
        (["nowhere.toml"], ["nowhere.toml: cannot be read"]),
    ],
)
def test_what_users_get_wrong_is_one_sentence(
    demix: Call, capsys: pytest.CaptureFixture[str], work: Path, arguments: list[str], words: list[str]
) -> None:
    assert demix("sweep", "pilot", *arguments, "--list") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("demix: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err


@pytest.mark.parametrize("name", ["../x", "", "a b", ".hidden", "n" * 90])
def test_names_that_make_no_folder_are_refused(demix: Call, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert demix("sweep", "--list", "--", name) == 2
    assert re.match(r"demix: (NAME|n{90}-unet-seed0): expected .*; (choose|shorten) .*\n$", capsys.readouterr().err)


# ---- training ----


def test_run_n_is_line_n_of_the_list(demix: Call, capsys: pytest.CaptureFixture[str], work: Path) -> None:
    grid = ("listed", "unet.toml", "vit.toml", "--seeds", "4,5", "--set", "training.steps=2")
    assert demix("sweep", *grid, "--list") == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 4
    assert [line[:5] for line in lines] == [[sys.executable, "-m", "demix", "train", "--resume"]] * 4
    assert demix("sweep", *grid, "--only", "3", "--list") == 0
    assert shlex.split(capsys.readouterr().out) == lines[3]
    assert not (work / "checkpoints").exists()
    assert demix("sweep", *grid, "--only", "3") == 0
    made = work / "checkpoints" / lines[3][lines[3].index("--name") + 1]
    assert [path.name for path in (work / "checkpoints").iterdir()] == [made.name] == ["listed-vit-seed5"]
    record = json.loads((made / "run.json").read_text())
    changes = [after for part, after in zip(lines[3], lines[3][1:], strict=False) if part == "--set"]
    assert record["config"] == json.loads(json.dumps(to_dict(load_config(Path(lines[3][-1]), changes))))
    assert (record["seed"], record["config"]["training"]["steps"]) == (5, 2)


def test_failed_and_killed_runs_do_not_stop_the_others(
    demix: Call, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {"unet-seed0": "raise SystemExit(2)", "vit-seed1": "import os; os.kill(os.getpid(), 9)"}

    def command(run: SweepRun, checkpoints: Path) -> list[str]:
        return [sys.executable, "-S", "-c", ends.get(run.name.removeprefix("fails-"), f"print('{run.name} done')")]

    monkeypatch.setattr(sweep, "train_command", command)
    assert demix("sweep", "fails", "--seeds", "0,1") == 2
    said = capfd.readouterr()
    assert said.out.split("\n") == ["fails-vit-seed0 done", "fails-unet-seed1 done", ""]
    last = said.err.splitlines()[-1]
    assert last.startswith("demix: 2 of 4 runs failed: fails-unet-seed0, fails-vit-seed1; ")
    ends.clear()
    assert demix("sweep", "fails", "--seeds", "0,1") == 0
    assert "next: demix evaluate checkpoints/fails-*-seed* --name fails\n" in capfd.readouterr().out


def test_whole_sweep_under_torchrun_is_refused(
    demix: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert demix("sweep", "together") == 2
    assert "add --only N" in capsys.readouterr().err


def test_sweep_that_is_told_to_end_ends_its_run_and_goes_on_later(demix: Call, work: Path) -> None:
    """The weights at the end are those of a run that nobody ended."""
    steps = ("training.steps=60", "training.valid_every=12")
    grid = ["ended", "unet.toml", "vit.toml", "--set", steps[0], "--set", steps[1]]
    command = [sys.executable, "-W", "error", "-m", "demix", "sweep", *grid]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    run = work / "checkpoints" / "ended-unet-seed0"
    deadline = time.monotonic() + 120
    while not (run / LAST_FILE).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):  # nobody of the group is left, which the run was one of
        os.killpg(process.pid, 0)
    assert not (work / "checkpoints" / "ended-vit-seed0").exists()
    assert int((run / HISTORY_FILE).read_text().splitlines()[-1].split(",")[0]) < 60
    assert demix("sweep", *grid, "--only", "0") == 0
    settings = load_config(work / "unet.toml", steps)
    songs = open_store(work / store_folder(settings.data.dataset))
    train(settings, work / "whole", tracks=songs)
    ended, whole = load_file(run / LAST_FILE), load_file(work / "whole" / LAST_FILE)
    assert ended.keys() == whole.keys()
    assert all(torch.equal(ended[key], whole[key]) for key in whole)
