"""The evidence, through the front door: a protocol of nano nets from the first trial to the page."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from demix.config import STEMS

Settings = Callable[..., list[str]]
SECONDS = 10
LITHIUM = Path(__file__).parents[1] / "songs" / "lithium"


def demix(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "demix", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def make_songs(folder: Path) -> Path:
    """Three songs of some seconds, one for each split: pieces of Lithium in which drums are played."""
    for start, name in zip((50, 60, 70), ("train/a", "valid/b", "test/c"), strict=True):
        (folder / name).mkdir(parents=True)
        for stem in STEMS:
            piece, rate = soundfile.read(LITHIUM / f"{stem}.ogg", start=start * 44_100, frames=SECONDS * 44_100)
            soundfile.write(folder / name / f"{stem}.wav", piece, rate)
    return folder


def make_protocol(path: Path, songs: Path, nano_settings: Settings) -> Path:
    """A protocol with two seeds and one control of everything that a protocol has, small enough for a test."""
    nets = {net: [line for line in nano_settings(net) if "steps=6" not in line] for net in ("unet", "vit")}
    lines = [
        'name = "nano"',
        "seeds = [0, 1]",
        "control_seeds = [0]",
        'control_set = ["training.steps=2"]',
        "chunk_seconds = [0.5, 1]",
        f'set = ["data.dataset={songs}", "training.steps=4"]',
        "[learning_rates]",
        "values = [1e-3, 1e-2]",
        "steps = 2",
        "[probes]",
        "frames = 2",
        "radius_seconds = 0.5",
        "[loops]",
        "bases = 1",
        "seconds = 6",
    ]
    for net, label in (("unet", "U-Net"), ("vit", "ViT")):
        lines += ["[[nets]]", f'group = "{net}"', f'label = "{label}"', f"set = {json.dumps(nets[net])}"]
    lines += ["[[controls]]", 'group = "vit-near"', 'label = "ViT, near"', 'of = "vit"', 'aspect = "attention window"']
    lines += ['set = ["model.options.window_frames=8"]']
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def gathered(nano_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a nano protocol has been run."""
    folder = tmp_path_factory.mktemp("work")
    make_protocol(folder / "nano.toml", make_songs(folder / "songs"), nano_settings)
    done = demix(folder, "compare", "--protocol", "nano.toml")
    assert done.returncode == 0, done.stderr
    assert str(Path("results/nano/index.html")) in done.stdout
    return folder


def test_every_run_of_the_protocol_is_there_and_nothing_else(gathered: Path) -> None:
    names = {path.name for path in (gathered / "checkpoints").iterdir()}
    trials = {f"nano-trial-{net}-{rate}" for net in ("unet", "vit") for rate in ("0.001", "0.01")}
    nets = {f"nano-{net}-{seed}" for net in ("unet", "vit") for seed in (0, 1)}
    controls = {f"nano-control-{group}-0" for group in ("unet", "vit", "vit-near")}
    assert names == trials | nets | controls


def test_learning_rates_are_those_that_the_trials_chose(gathered: Path) -> None:
    trials = rows(gathered / "results" / "nano" / "trials.csv")
    assert [row["net"] for row in trials] == ["unet", "unet", "vit", "vit"]
    for net in ("unet", "vit"):
        own = [row for row in trials if row["net"] == net]
        best = max(own, key=lambda row: float(row["valid_sdr"]))
        assert [row["chosen"] for row in own] == [str(int(row is best)) for row in own]
        for folder in (gathered / "checkpoints").glob(f"nano-*{net}*-[01]"):
            if "trial" not in folder.name:
                config = json.loads((folder / "run.json").read_text())["config"]
                assert config["training"]["learning_rate"] == float(best["learning_rate"]), folder.name


def test_results_say_which_runs_belong_together(gathered: Path) -> None:
    facts = json.loads((gathered / "results" / "nano" / "results.json").read_text())
    nets = [system for system in facts["systems"] if system["kind"] == "net"]
    assert [(net["group"], net["seed"]) for net in nets] == [("unet", 0), ("unet", 1), ("vit", 0), ("vit", 1)]
    assert {net["label"] for net in nets} == {"U-Net", "ViT"}
    assert all(net["step_mib"] > 0 for net in nets)
    assert facts["protocol"]["text"] == (gathered / "nano.toml").read_text()
    controls = json.loads((gathered / "results" / "nano" / "controls" / "results.json").read_text())
    of = {net["group"]: net["of"] for net in controls["systems"] if net["kind"] == "net"}
    assert of == {"unet": "unet", "vit": "vit", "vit-near": "vit"}


def test_chunks_are_scored_for_every_run_and_length(gathered: Path) -> None:
    found = rows(gathered / "results" / "nano" / "chunks.csv")
    keys = {(row["system"], row["chunk_seconds"], row["stem"]) for row in found}
    assert len(keys) == len(found) == 4 * 2 * len(STEMS)
    scores = rows(gathered / "results" / "nano" / "scores.csv")
    trained = {(row["system"], row["stem"]): row["value"] for row in scores if row["metric"] == "sdr"}
    for row in found:
        if row["chunk_seconds"] == "0.5":  # as in training, and so as `demix evaluate` does it
            assert float(row["sdr"]) == pytest.approx(float(trained[row["system"], row["stem"]]), abs=1e-4)


def test_probes_and_loops_are_there(gathered: Path) -> None:
    folder = gathered / "results" / "nano"
    for name in ("context", "listening", "field", "field_radius", "attention", "bands", "levels", "repetition"):
        assert rows(folder / "probes" / f"{name}.csv"), name
    songs = rows(folder / "loops" / "songs.csv")
    assert {row["condition"] for row in songs} == {"exact", "varied", "never"}
    scored = {row["track"] for row in rows(folder / "loops" / "scores.csv")}
    assert scored == {row["track"] for row in songs}


def test_the_page_has_a_section_for_everything(gathered: Path) -> None:
    page = (gathered / "results" / "nano" / "index.html").read_text()
    for section in ("controls", "context", "repetition", "places", "attention", "blind"):
        assert f'<section id="{section}' in page, section
    for figure in (gathered / "results" / "nano" / "figures").glob("*.csv"):
        assert f'id="figure-{figure.stem}"' in page
        assert figure.with_suffix(".svg").is_file()


def test_run_again_it_reuses_everything_but_the_page(gathered: Path) -> None:
    page = gathered / "results" / "nano" / "index.html"
    before = {path: path.stat().st_mtime_ns for path in gathered.rglob("*") if path.is_file() and path != page}
    page.unlink()
    done = demix(gathered, "compare", "--protocol", "nano.toml")
    assert done.returncode == 0, done.stderr
    assert page.is_file()
    made = ("trials.csv", "table.md", "index.html")
    changed = [path for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert [path for path in changed if path.name not in made and "figures" not in path.parts] == []


def test_a_protocol_takes_no_other_settings(gathered: Path) -> None:
    done = demix(gathered, "compare", "--protocol", "nano.toml", "--set", "training.steps=3")
    assert done.returncode == 2
    assert "expected no other settings" in done.stderr


def test_data_without_test_songs_is_refused_before_anything_is_trained(tmp_path: Path, nano_settings: Settings) -> None:
    songs = make_songs(tmp_path / "songs")
    shutil.rmtree(songs / "test")
    make_protocol(tmp_path / "nano.toml", songs, nano_settings)
    done = demix(tmp_path, "compare", "--protocol", "nano.toml")
    assert done.returncode == 2
    assert "expected at least one test song" in done.stderr
    assert not (tmp_path / "checkpoints").exists()


def test_a_protocol_is_not_changed_after_its_numbers_are_seen(gathered: Path) -> None:
    text = (gathered / "nano.toml").read_text()
    (gathered / "changed.toml").write_text(text + "[rule]\ncounts_db = 0.01\n")
    done = demix(gathered, "compare", "--protocol", "changed.toml")
    assert done.returncode == 2
    assert "received a changed one" in done.stderr


def test_other_scores_do_not_take_the_place_of_a_protocols(gathered: Path) -> None:
    done = demix(gathered, "evaluate", "checkpoints/nano-unet-0", "--name", "nano")
    assert done.returncode == 2
    assert "found the results of a protocol" in done.stderr
