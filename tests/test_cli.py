"""The front door: `python -m demix` as a process, on songs of every form, and with what users get wrong."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from demix.config import STEMS

NANO = ("model.options.bands=64", "data.segment_seconds=0.5", "data.batch_size=1")  # for both nets
Settings = Callable[..., list[str]]
Make = Callable[..., Path]


def demix(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "demix", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )


def options(settings: Sequence[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 2, one sentence on standard error and no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("demix: ")]
    assert len(lines) == 1, done.stderr
    assert done.stderr.rstrip().endswith(lines[0])
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def compared(songs_folder: Path, nano_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `demix compare` has been run on two configs."""
    folder = tmp_path_factory.mktemp("work")
    for net in ("unet", "vit"):
        lines = ["# nano", f'data.dataset = "{songs_folder}"']
        for setting in nano_settings(net):
            key, _, value = setting.partition("=")
            lines.append(f"{key} = {value if value[0] in '[0123456789' else repr(value)}")
        (folder / f"nano-{net}.toml").write_text("\n".join(lines) + "\n")
    done = demix(folder, "compare", "nano-unet.toml", "nano-vit.toml", "--name", "nano")
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    return folder


def test_compare_trains_scores_and_reports(compared: Path) -> None:
    for net in ("unet", "vit"):
        assert (compared / "checkpoints" / f"nano-{net}" / "best.safetensors").is_file()
    assert (compared / "results" / "nano" / "index.html").stat().st_size > 50_000
    assert "ViT" in (compared / "results" / "nano" / "table.md").read_text()
    said = (compared / "stdout.txt").read_text()
    assert "results/nano/index.html" in said
    for words in ("U-Net", "ViT", "Mixture", "Oracle", "vocals", "drums"):
        assert words in said


def test_compare_again_reuses_what_is_there(compared: Path) -> None:
    files = [path for path in compared.rglob("*") if path.is_file() and path.suffix in (".safetensors", ".csv")]
    files = [path for path in files if path.parent.name != "figures"]  # drawn again, as the page is
    assert len(files) >= 8
    before = {path: path.stat().st_mtime_ns for path in files}
    done = demix(compared, "compare", "nano-unet.toml", "nano-vit.toml", "--name", "nano")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_compare_refuses_runs_on_different_batches(compared: Path) -> None:
    text = (compared / "nano-vit.toml").read_text()
    (compared / "other-vit.toml").write_text(text.replace("batch_size = 2", "batch_size = 3"))
    done = demix(compared, "compare", "nano-unet.toml", "other-vit.toml", "--name", "other")
    assert_refused(done, "[data] differs between the runs")


def test_plain_compare_plans_one_run_for_every_net(tmp_path: Path, nano_settings: Settings) -> None:
    """Stopped before training: what matters is that both nets are planned with what the options say."""
    from demix.compare import plan_runs
    from demix.config import load_config

    runs = plan_runs(
        "x", checkpoints=tmp_path, load=lambda more: load_config(None, more), settings=["training.steps=3"]
    )
    assert [run.folder.name for run in runs] == ["x-unet", "x-vit"]
    assert [run.settings.model.name for run in runs] == ["unet", "vit"]
    assert all(run.settings.training.steps == 3 for run in runs)


def test_evaluate_on_songs_from_outside(compared: Path, songs_folder: Path) -> None:
    run = compared / "checkpoints" / "nano-unet"
    done = demix(compared, "evaluate", run, "--data", songs_folder / "test")
    assert done.returncode == 0, done.stderr
    with (compared / "results" / "nano-unet-on-test" / "scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["system"] == "nano-unet" and row["metric"] == "sdr"]
    assert [row["stem"] for row in rows] == list(STEMS)
    assert "report: " in done.stdout


def test_report_is_written_again(compared: Path) -> None:
    page = compared / "results" / "nano" / "index.html"
    page.unlink()
    assert demix(compared, "report", "results/nano").returncode == 0
    assert page.is_file()


@pytest.mark.parametrize("form", ["musdb18", "musdb18hq"])
def test_musdb_trees_go_all_the_way(
    form: str,
    tmp_path: Path,
    song_excerpt: np.ndarray,
    make_stem_mp4: Make,
    make_folder_song: Make,
    nano_settings: Settings,
) -> None:
    """Prepare, train and evaluate on a tree of MUSDB18's form; a validation song is known by its name."""
    root = tmp_path / "data" / "raw" / form
    songs = {"train/Somebody - Something": 0, "train/ANiMAL - Rockshow": 2, "test/Else - Elsewhere": 4}
    for name, start in songs.items():
        stems = song_excerpt[..., start * 44_100 : (start + 2) * 44_100]
        if form == "musdb18":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            make_stem_mp4(root / f"{name}.stem.mp4", stems)
        else:
            named = dict(zip(STEMS, stems, strict=True))
            make_folder_song(root / name, mixture=stems.sum(axis=0), **named)
    done = demix(tmp_path, "data", "prepare", form)
    assert done.returncode == 0, done.stderr
    info = demix(tmp_path, "data", "info", form)
    assert "valid" in info.stdout
    settings = options(nano_settings("unet", f"data.dataset={form}"))
    done = demix(tmp_path, "train", "--name", "run", *settings)
    assert done.returncode == 0, done.stderr
    done = demix(tmp_path, "evaluate", "checkpoints/run")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "results" / "run" / "scores.csv").read_text()
    assert "Else - Elsewhere" in text
    assert "ANiMAL" not in text


def test_train_resumes_and_says_so_when_it_must(tmp_path: Path, songs_folder: Path, nano_settings: Settings) -> None:
    settings = options(nano_settings("unet", f"data.dataset={songs_folder}"))
    assert demix(tmp_path, "train", "--name", "run", *settings).returncode == 0
    assert_refused(demix(tmp_path, "train", "--name", "run", *settings), "holds a run already", "--resume")
    done = demix(tmp_path, "train", "--name", "run", "--resume", *settings)
    assert done.returncode == 0, done.stderr
    assert "6 steps, best validation SDR" in done.stdout


def test_train_on_several_sets_and_the_model_card_names_them(
    tmp_path: Path,
    songs_folder: Path,
    song_excerpt: np.ndarray,
    nano_settings: Settings,
    make_folder_song: Callable[..., None],
) -> None:
    make_folder_song(tmp_path / "loops" / "train" / "jazz", drums=song_excerpt[1])
    (tmp_path / "loops" / "licence.txt").write_text("CC BY 4.0, Somebody\n")
    settings = options(nano_settings("unet", f"data.dataset={songs_folder}", "data.also={loops=0.5}"))
    done = demix(tmp_path, "train", "--name", "run", *settings)
    assert done.returncode == 0, done.stderr
    assert demix(tmp_path, "export", "checkpoints/run").returncode == 0
    (card,) = (tmp_path / "checkpoints" / "run").glob("*.md")
    text = " ".join(card.read_text().split())
    assert (
        "Also learnt from `loops`, 1 songs, 0.1 minutes, with weight 0.5 beside 1. Licence: CC BY 4.0, Somebody."
        in text
    )
    assert "0.0 minutes: song-train." in text
    moved = options(nano_settings("unet", f"data.dataset={songs_folder}", "data.also={loops=0.7}"))
    assert_refused(demix(tmp_path, "train", "--name", "run", "--resume", *moved), "data.also.loops = 0.5, not 0.7")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--set", "training.stepps=1"], ["unknown key training.stepps"]),
        (["train", "nothing.toml"], ["nothing.toml", "cannot be read"]),
        (["train", "--name", "../x"], ["--name", "plain folder name"]),
        (["train", "--set", "data.dataset=nowhere"], ["nowhere", "expected a data set"]),
        (["compare", "--data", "musdb18"], ["musdb18 is not there", "demix data download musdb18"]),
        (["compare", "--preset", "huge"], ["model.preset: expected one of tiny, small, base"]),
        (["evaluate", "nowhere"], ["nowhere: expected a run folder"]),
        (["evaluate", "."], ["expected a run folder"]),
        (["evaluate", ".", "--split", "tset"], ["--split: expected one of train, valid, test"]),
        (["report", "."], ["results.json"]),
        (["data", "download", "musdb19"], ["musdb19"]),
    ],
)
def test_what_users_get_wrong_is_one_sentence(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    assert_refused(demix(tmp_path, *arguments), *words)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "processed" not in path.parts]
    assert left == []


@pytest.mark.parametrize("wrong", ["corrupt", "empty", "unequal", "48 kHz", "mono"])
def test_bad_song_is_named_and_no_run_is_left(
    wrong: str, tmp_path: Path, make_folder_song: Make, song_excerpt: np.ndarray, nano_settings: Settings
) -> None:
    piece = song_excerpt[..., :44_100]
    for split in ("train", "valid"):
        make_folder_song(tmp_path / "set" / split / f"good-{split}", drums=piece[1], other=piece[3])
    song = make_folder_song(tmp_path / "set" / "train" / "bad", drums=piece[1], vocals=piece[0])
    bad = song / "vocals.wav"
    if wrong in ("corrupt", "empty"):
        bad.write_bytes(b"RIFF but no more" if wrong == "corrupt" else b"")
    else:
        changed = {"unequal": piece[0][:, :-7], "mono": piece[0][:1]}.get(wrong, piece[0])
        soundfile.write(bad, changed.T, 48_000 if wrong == "48 kHz" else 44_100)
    done = demix(tmp_path, "train", "--name", "run", *options(nano_settings("unet", "data.dataset=set")))
    assert_refused(done, "bad")
    assert not (tmp_path / "checkpoints").exists()
    assert demix(tmp_path, "data", "prepare", "set").returncode == 2
    assert list(np.load(tmp_path / "data" / "processed" / "set" / "index.npy")["name"]) == ["good-train", "good-valid"]


def test_set_that_moved_a_song_is_not_compared_again(tmp_path: Path, songs_folder: Path) -> None:
    """A song that a net was trained on cannot become a test song unnoticed."""
    root = shutil.copytree(songs_folder, tmp_path / "set")
    arguments = ["compare", "--data", "set", "--name", "moved", *options(NANO), "--set", "training.steps=2"]
    done = demix(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    (root / "test" / "song-test").rename(root / "train" / "song-test")
    (root / "train" / "song-train").rename(root / "test" / "song-train")
    assert_refused(demix(tmp_path, *arguments), "was begun on other songs")
    done = demix(tmp_path, "evaluate", "checkpoints/moved-unet", "--data", "set")
    assert_refused(done, "song-train", "was trained with it")


def test_help_is_quick_to_load_and_says_how_to_run_the_real_thing(tmp_path: Path) -> None:
    done = demix(tmp_path, "compare", "--help")
    assert done.returncode == 0
    assert "musdb18" in done.stdout
    script = (
        "import sys\nfrom demix.cli import app\n"
        "heavy = {'torch', 'numpy', 'scipy', 'librosa', 'matplotlib', 'av'} & set(sys.modules)\n"
        "sys.exit(f'imported at start: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(tmp_path: Path) -> None:
    from demix import __version__

    assert demix(tmp_path, "--version").stdout.strip() == f"demix {__version__}"
