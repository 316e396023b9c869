"""Scoring runs on songs: the results folder, and that its numbers are those of the definitions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from demix import audio
from demix.config import STEMS, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.errors import DemixError
from demix.evaluation.baselines import BASELINES
from demix.evaluation.evaluate import RESULTS_FILE, _replace_folder, evaluate, fingerprint_inputs
from demix.evaluation.excerpt import choose_start
from demix.evaluation.scores import read_scores, read_seconds
from demix.metrics import sdr
from demix.pretrained import make_separator
from demix.runtime import load_run
from demix.training.loop import train


@pytest.fixture(scope="module")
def run(songs_folder: Path, nano_settings: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    prepare(open_dataset(songs_folder), folder / "store")
    train(load_config(None, nano_settings("vit")), folder / "nano", tracks=open_store(folder / "store"))
    return folder / "nano"


@pytest.fixture(scope="module")
def results(run: Path, songs_folder: Path) -> Path:
    tracks = [track for track in open_dataset(songs_folder) if track.split == "test"]
    out = run.parent / "results" / "nano"
    return evaluate([run], tracks, out, dataset="songs", licence="CC0", device="cpu")


def test_every_system_every_stem_every_metric(results: Path) -> None:
    rows = read_scores(results / "scores.csv")
    assert {row.system for row in rows} == {"nano", *BASELINES}
    keys = [(row.system, row.stem, row.metric) for row in rows if row.metric.startswith("sdr")]
    assert len(keys) == len(set(keys)) == (1 + len(BASELINES)) * len(STEMS) * 2


def test_scores_are_those_of_the_separator(results: Path, run: Path, songs_folder: Path) -> None:
    track = next(track for track in open_dataset(songs_folder) if track.split == "test")
    stems, mixture = track.load()
    loaded = load_run(run, device="cpu")
    estimates = make_separator(loaded.net, loaded.config, device=torch.device("cpu")).separate(mixture)
    expected = sdr(stems, np.stack([estimates[stem] for stem in STEMS]))
    rows = {r.stem: r.value for r in read_scores(results / "scores.csv") if (r.system, r.metric) == ("nano", "sdr")}
    np.testing.assert_allclose([rows[stem] for stem in STEMS], expected, atol=1e-5)
    assert {row.second for row in read_seconds(results / "seconds.csv")} == {0, 1}


def test_results_json_says_what_was_done(results: Path, run: Path) -> None:
    facts = json.loads((results / "results.json").read_text())
    net, *baselines = facts["systems"]
    assert (net["name"], net["kind"], net["label"]) == ("nano", "net", "ViT")
    assert net["parameters"] == json.loads((run / "run.json").read_text())["parameters"]
    assert net["gflops_per_second"] > 0
    assert net["realtime_factor"] > 0
    assert net["training_seconds"] > 0
    assert [system["name"] for system in baselines] == list(BASELINES)
    assert facts["dataset"]["train"] == ["song-train"]
    assert facts["dataset"]["test"] == ["song-test"]
    assert (results / "history-nano.csv").read_bytes() == (run / "history.csv").read_bytes()


def test_excerpt_is_cut_from_the_estimates(results: Path, songs_folder: Path) -> None:
    facts = json.loads((results / "results.json").read_text())["excerpt"]
    masks = np.load(results / "excerpt" / "masks.npz")
    assert set(masks) == {"mixture_db", "truth_db", "nano", "oracle"}
    assert masks["nano"].shape == (4, *masks["mixture_db"].shape)
    assert all(0 <= masks[name].min() <= masks[name].max() <= 1 for name in ("nano", "oracle"))
    for stem in STEMS:
        heard, rate = audio.read(results / "excerpt" / f"truth-{stem}.flac")
        truth, _ = soundfile.read(songs_folder / "test" / "song-test" / f"{stem}.wav", dtype="float32")
        assert rate == 44_100
        np.testing.assert_allclose(heard, truth.T[:, : heard.shape[1]], atol=1e-6)
    assert facts["seconds"] == 2


def test_excerpt_is_where_the_stems_sound_together() -> None:
    stems = np.zeros((4, 2, 30 * 44_100), np.float32)
    noise = np.random.default_rng(0).standard_normal(stems.shape).astype(np.float32)
    stems[0] = noise[0]  # one loud stem all along
    stems[:, :, 12 * 44_100 : 20 * 44_100] = 0.01 * noise[:, :, 12 * 44_100 : 20 * 44_100]
    assert choose_start(stems) == 12 * 44_100
    assert choose_start(stems[..., : 3 * 44_100]) == 0


def test_song_with_a_silent_stem_is_scored_without_it(run: Path, make_folder_song: Callable[..., Path]) -> None:
    song = np.random.default_rng(0).standard_normal((3, 2, 60_000)).astype(np.float32) * 0.1
    root = run.parent / "no-bass"
    make_folder_song(root / "song", vocals=song[0], drums=song[1], other=song[2])
    out = evaluate([run], open_dataset(root), run.parent / "r", dataset="d", licence="none", device="cpu")
    rows = [row for row in read_scores(out / "scores.csv") if row.system == "nano"]
    bass = {row.metric: row.value for row in rows if row.stem == "bass"}
    assert np.isnan(bass["sdr"])
    assert np.isnan(bass["sdr_bsseval"])
    assert -60 < bass["silent_level_dbfs"] < 0
    assert all(np.isfinite(row.value) for row in rows if row.stem != "bass")


def test_failed_evaluation_leaves_the_old_results_and_nothing_else(
    run: Path, songs_folder: Path, tmp_path: Path, make_folder_song: Callable[..., Path]
) -> None:
    out = tmp_path / "results" / "x"
    test = [track for track in open_dataset(songs_folder) if track.split == "test"]
    evaluate([run], test, out, dataset="songs", licence="CC0", device="cpu")
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    good = make_folder_song(tmp_path / "bad" / "song", drums=np.ones((2, 44_100), np.float32) * 0.1)
    (good / "vocals.wav").write_bytes(b"")
    with pytest.raises(DemixError, match=r"vocals\.wav"):
        evaluate([run], [*test, *open_dataset(tmp_path / "bad")], out, dataset="songs", licence="CC0")
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert [path.name for path in out.parent.iterdir()] == ["x"]


def test_without_songs_nothing_is_scored(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="at least one song"):
        evaluate([run], [], tmp_path / "x", dataset="songs", licence="CC0")


def test_other_weights_or_songs_are_noticed(run: Path, songs_folder: Path, tmp_path: Path) -> None:
    tracks = open_dataset(songs_folder)
    first = fingerprint_inputs([run], tracks)
    assert fingerprint_inputs([run], tracks) == first
    assert fingerprint_inputs([run], tracks[:1]) != first
    other = tmp_path / run.name
    other.mkdir()
    (other / "best.safetensors").write_bytes(b"other")
    assert fingerprint_inputs([other], tracks) != first


def test_other_files_are_not_replaced_by_results(run: Path, songs_folder: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "src" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    tracks = [track for track in open_dataset(songs_folder) if track.split == "test"]
    with pytest.raises(DemixError, match="found other files"):
        evaluate([run], tracks, tmp_path / "src", dataset="songs", licence="CC0")
    with pytest.raises(DemixError, match="cannot be made"):
        evaluate([run], tracks, thesis / "x", dataset="songs", licence="CC0")
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize("name", ["mixture", "truth"])
def test_run_that_is_called_like_another_system_is_refused(
    name: str, run: Path, songs_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / name)
    tracks = [track for track in open_dataset(songs_folder) if track.split == "test"]
    with pytest.raises(DemixError, match=f"the name {name} is taken"):
        evaluate([tmp_path / name], tracks, tmp_path / "out", dataset="songs", licence="CC0")
    with pytest.raises(DemixError, match="is taken"):
        evaluate([run, run], tracks, tmp_path / "out", dataset="songs", licence="CC0")


def test_songs_that_were_trained_on_are_not_scored_as_test_songs(run: Path, songs_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"song-train: .* trained with it"):
        evaluate([run], open_dataset(songs_folder / "train"), tmp_path / "x", dataset="songs", licence="CC0")
    learnt = [track for track in open_dataset(songs_folder) if track.split == "train"]
    out = evaluate([run], learnt, tmp_path / "x", dataset="songs", licence="CC0", device="cpu")
    assert json.loads((out / "results.json").read_text())["split"] == "train"


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_parts_of_a_results_folder_outlive_a_failed_replacement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Whatever step of it fails, the next evaluation finds the probes, which took an hour."""
    out, scratch, replace, count = tmp_path / "out", tmp_path / ".out.part", Path.replace, 0
    for name, file in (("out", "probes/bands.csv"), ("out", RESULTS_FILE), (".out.part", RESULTS_FILE)):
        (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / file).write_text(name)

    def failing(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == fails_at:
            raise PermissionError(13, "in use")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(DemixError, match="in use"):
        _replace_folder(scratch, out)
    shutil.rmtree(scratch, ignore_errors=True)  # as `evaluate` does
    (scratch).mkdir()
    (scratch / RESULTS_FILE).write_text("new")
    _replace_folder(scratch, out)
    assert (out / "probes" / "bands.csv").read_text() == "out"
    assert (out / RESULTS_FILE).read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
