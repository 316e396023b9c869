"""Export: the ONNX file is the net, says all that is needed to use it, and is not written when it differs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from safetensors.torch import save_file
from typer import Typer
from typer.testing import CliRunner, Result

from demix import config, export
from demix.cli_models import export as export_command
from demix.config import STEMS, load_config
from demix.errors import DemixError
from demix.export import export_onnx
from demix.export_check import TOLERANCE
from demix.models import build_net
from demix.onnx_model import open_onnx
from demix.pretrained import load
from demix.runtime import BEST_FILE, RUN_FILE, TorchMasker, load_run
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
Settings = Callable[..., list[str]]

CASES = {
    "unet": ("unet",),
    "vit": ("vit",),
    "unet-sigmoid-phase": ("unet", 'model.mask="sigmoid"', "model.phase=true"),
    "vit-window": ("vit", "model.options.window_frames=16", "model.options.positions=rows"),
    "vit-no-positions": ("vit", "model.options.positions=none"),
    "unet-dilated": ("unet", "model.options.bottleneck=dilated"),
    "unet-attention": ("unet", "model.options.bottleneck=attention", "model.options.widths=[4, 16]"),
}


def make_run(folder: Path, settings: list[str]) -> Path:
    """Write a run folder of a net with random weights, large enough that its masks are not all a quarter."""
    loaded = load_config(None, settings)
    torch.manual_seed(0)
    net = build_net(loaded)
    with torch.no_grad():
        net.head.logits.weight.mul_(20)  # type: ignore[union-attr, operator]
    folder.mkdir(parents=True)
    save_file(dict(net.state_dict()), folder / BEST_FILE, {"step": "500"})
    songs = {"train": {"caesium": 2_646_000, "potassium": 3_175_200}, "valid": {"sodium": 2_116_800}}
    record = {"config": config.to_dict(loaded), "tracks": songs, "created": "2026-01-02T03:04:05+00:00"}
    (folder / RUN_FILE).write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nano_settings: Settings) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / request.param, nano_settings(*CASES[request.param]))


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    path = run / "model.onnx"
    assert export_onnx(run, path) <= TOLERANCE
    return path


@pytest.fixture
def unet(tmp_path: Path, nano_settings: Settings) -> Path:
    return make_run(tmp_path / "runs" / "nano", nano_settings("unet"))


def run_command(*arguments: str) -> Result:
    app = Typer()
    app.command()(export_command)
    return CliRunner().invoke(app, arguments)


def test_masks_are_the_nets_for_any_batch_and_frames(run: Path, exported: Path, song_excerpt: Audio) -> None:
    trained = load_run(run, device="cpu")
    reference = TorchMasker(trained.net, trained.config.model.mask, torch.device("cpu"))
    masker = open_onnx(exported, device="cpu", threads=1)
    spectrum = STFT().forward(song_excerpt[:3])  # three stems as three songs
    for batch, frames in ((1, 1), (1, 128), (2, 32), (3, 45), (1, 200)):
        piece = spectrum[:batch, ..., :frames]
        masks = masker(piece)
        assert masks.shape == (batch, 4, 2, 2049, frames)
        assert masks.dtype == np.float32
        np.testing.assert_allclose(masks, reference(piece), atol=TOLERANCE)
    assert masks.std() > 0.02


def test_softmax_masks_add_up_to_one_and_sigmoid_masks_do_not(exported: Path, song_excerpt: Audio) -> None:
    masker = open_onnx(exported, device="cpu", threads=1)
    sums = masker(STFT().forward(song_excerpt.sum(axis=0)[None, :, :40_000])).sum(axis=1)
    assert (np.abs(sums - 1).max() < 1e-5) == (masker.facts.mask == "softmax")


def test_onnx_file_and_run_folder_separate_alike_and_repeatably(run: Path, exported: Path, song_excerpt: Audio) -> None:
    mixture = song_excerpt.sum(axis=0)[:, :60_001]
    separator = load(exported, device="cpu", threads=1)
    stems, again, of_run = separator.separate(mixture), separator.separate(mixture), load(run).separate(mixture)
    for stem in STEMS:
        np.testing.assert_allclose(stems[stem], of_run[stem], atol=1e-3)
        np.testing.assert_array_equal(stems[stem], again[stem])


def test_file_says_what_is_needed_to_use_it(run: Path, exported: Path) -> None:
    facts = open_onnx(exported).facts
    settings = load_run(run, device="cpu").config
    assert facts.name == run.name
    assert (facts.stems, facts.sample_rate, facts.channels) == (STEMS, 44_100, 2)
    assert (facts.n_fft, facts.hop_length, facts.mask) == (4096, 1024, settings.model.mask)
    assert facts.segment_seconds == settings.data.segment_seconds
    assert facts.training["songs_seconds"] == {"train": {"caesium": 60, "potassium": 72}, "valid": {"sodium": 48}}
    assert json.loads({item.key: item.value for item in onnx.load(exported).metadata_props}["stems"]) == list(STEMS)


def test_file_is_little_more_than_its_weights(exported: Path) -> None:
    weights = 4 * open_onnx(exported).facts.parameters
    assert exported.stat().st_size < weights + 300_000  # the bands of the bins alone would be 1 MB


def test_mask_function_works_on_bands(exported: Path) -> None:
    *_, function, last = onnx.load(exported).graph.node
    assert function.op_type in {"Softmax", "Sigmoid"}
    assert last.op_type == "Gather"


def test_a_file_that_differs_is_not_written(unet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_trace = export._trace

    def trace(net: torch.nn.Module, *rest: object) -> onnx.ModelProto:
        with torch.no_grad():
            net.head.logits.bias[0] += 0.01  # type: ignore[union-attr, operator, index]
        model = true_trace(net, *rest)  # type: ignore[arg-type]
        with torch.no_grad():
            net.head.logits.bias[0] -= 0.01  # type: ignore[union-attr, operator, index]
        return model

    monkeypatch.setattr(export, "_trace", trace)
    out = tmp_path / "out" / "model.onnx"
    with pytest.raises(DemixError, match=r"differ by 0\.00"):
        export_onnx(unet, out)
    assert not out.parent.exists()


def test_command_writes_file_and_card_with_scores(unet: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    rows = [f"nano,lithium,test,{stem},sdr,{value}" for value, stem in enumerate(STEMS)]
    rows += [f"hpss,lithium,test,{stem},sdr,4.25" for stem in STEMS]
    scores.write_text("\n".join(["system,track,split,stem,metric,value", *rows]) + "\n", encoding="utf-8")
    done = run_command(str(unet), "--scores", str(scores))
    assert done.exit_code == 0, done.output
    facts = open_onnx(unet / "nano.onnx").facts
    assert facts.scores == {"sdr": {"vocals": 0, "drums": 1, "bass": 2, "other": 3, "mean": 1.5}}
    card = (unet / "nano.md").read_text(encoding="utf-8")
    for words in (
        'CC0 1.0, from "everything is free" by Software-Entwicklungskit',
        "caesium, potassium",
        "step 500",
        "on lithium",
        "| 1.50 |",
        "`hpss` 4.25.",
    ):
        assert words in card


def test_command_refuses_scores_of_other_runs_and_odd_names(unet: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text("system,track,split,stem,metric,value\nvit,lithium,test,bass,sdr,1\n", encoding="utf-8")
    for arguments, words in (
        (["--scores", str(scores)], "test scores of nano, found those of vit"),
        (["--out", str(tmp_path / "net.bin")], r"ends in \.onnx"),
        (["--format", "keras"], "expected onnx or tensorflow, received 'keras'"),
    ):
        done = run_command(str(unet), *arguments)
        with pytest.raises(DemixError, match=words):
            raise done.exception or AssertionError(done.output)
    assert not list(unet.glob("*.onnx"))
