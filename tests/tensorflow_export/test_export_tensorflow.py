"""What is exported to TensorFlow gives the masks of the trained net, or is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from demix import config, tensorflow_nets
from demix.errors import DemixError
from demix.export_check import TOLERANCE
from demix.export_tensorflow import (
    LITE_FILE,
    METADATA_FILE,
    SAVED_MODEL,
    export_tensorflow,
    open_lite,
    open_saved_model,
)
from demix.models import MODELS, build_net
from demix.runtime import TorchMasker, load_run
from demix.separator import Separator
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
Settings = Callable[..., list[str]]

VARIANTS = {
    "unet": ("unet",),
    "vit": ("vit",),
    "unet-phase-sigmoid": ("unet", "model.phase=true", "model.mask=sigmoid"),
    "unet-odd-widths": ("unet", "model.options.widths=[5, 6, 7]", "model.options.kernel_size=3"),
    "vit-phase-window": ("vit", "model.phase=true", "model.options.window_frames=16", "model.options.bands=100"),
    "unet-power": ("unet", "model.options.compression=power"),
    "vit-power": ("vit", "model.options.compression=power"),
    "vit-no-rotary": ("vit", "model.options.positions=rows", "model.options.patch_size=[3, 5]"),
}


def make_run(folder: Path, settings: list[str]) -> Path:
    """Write a run folder of a net whose weights are all random, as those of a trained net never are at their start."""
    loaded = config.load_config(None, settings)
    net = build_net(loaded)
    generator = torch.Generator().manual_seed(0)
    for value in net.parameters():
        value.data += 0.2 * torch.randn(value.shape, generator=generator)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"config": config.to_dict(loaded)}))
    save_file(net.state_dict(), folder / "best.safetensors", metadata={"step": "70"})
    return folder


@pytest.fixture(scope="module", params=VARIANTS)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nano_settings: Settings
) -> tuple[Path, Path]:
    """A run folder and what it was exported to."""
    root = tmp_path_factory.mktemp("export")
    run = make_run(root / request.param, nano_settings(*VARIANTS[request.param]))
    assert export_tensorflow(run, root / "out" / "net") <= TOLERANCE
    assert [path.name for path in (root / "out").iterdir()] == ["net"]
    return run, root / "out" / "net"


def test_every_net_of_the_registry_is_tried() -> None:
    assert {settings[0] for settings in VARIANTS.values()} == set(MODELS)


@pytest.mark.parametrize("frames", [1, 16, 61])
def test_masks_on_music_are_those_of_the_net(exported: tuple[Path, Path], song_excerpt: Audio, frames: int) -> None:
    folder, out = exported
    run = load_run(folder, device="cpu")
    spectrum = STFT().forward(song_excerpt)[..., :frames]  # the four stems as a batch
    expected = TorchMasker(run.net, run.config.model.mask, torch.device("cpu"))(spectrum)
    assert expected.std() > 0.01  # masks that are all the same would prove nothing
    for masker in (open_saved_model(out / SAVED_MODEL), open_lite(out / LITE_FILE)):
        np.testing.assert_allclose(masker(spectrum), expected, rtol=0, atol=TOLERANCE)


def test_lite_file_and_metadata_are_enough_to_separate(exported: tuple[Path, Path], song_excerpt: Audio) -> None:
    folder, out = exported
    run = load_run(folder, device="cpu")
    facts = json.loads((out / METADATA_FILE).read_text())
    assert facts["name"] == folder.name
    assert facts["best_step"] == 70
    mixture = song_excerpt.sum(axis=0)[:, : facts["sample_rate"]]
    spectral, mask = run.config.spectral, run.config.model.mask
    trained = Separator(
        TorchMasker(run.net, mask, torch.device("cpu")),
        STFT(spectral.n_fft, spectral.hop_length),
        run.config.data.segment_seconds,
    )
    stft = STFT(facts["n_fft"], facts["hop_length"])
    lite = Separator(open_lite(out / LITE_FILE), stft, facts["segment_seconds"])
    expected, received = trained.separate(mixture), lite.separate(mixture)
    assert list(received) == facts["stems"]
    for stem, waveform in expected.items():
        np.testing.assert_allclose(received[stem], waveform, rtol=0, atol=1e-4)


@pytest.mark.parametrize("wrong", [lambda maps: maps, lambda maps: maps * float("nan")], ids=["another", "nan"])
def test_masks_that_differ_are_refused_and_nothing_is_written(
    tmp_path: Path, nano_settings: Settings, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[object], object]
) -> None:
    run = make_run(tmp_path / "run", nano_settings())
    monkeypatch.setattr(tensorflow_nets, "_gelu", wrong)
    with pytest.raises(DemixError, match="they differ by"):
        export_tensorflow(run, tmp_path / "out" / "net")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_kept(tmp_path: Path, nano_settings: Settings) -> None:
    run = make_run(tmp_path / "run", nano_settings())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DemixError, match="is there already"):
        export_tensorflow(run, tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, nano_settings: Settings) -> None:
    run = make_run(tmp_path / "run", nano_settings())
    with pytest.raises(DemixError, match=r"cannot be written \(Not a directory\)"):
        export_tensorflow(run, run / "run.json" / "net")


def test_net_without_a_twin_is_refused() -> None:
    with pytest.raises(DemixError, match="received Identity"):
        tensorflow_nets.compute_masks(torch.nn.Identity(), None, "softmax")


def test_missing_tensorflow_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demix.export_tensorflow.find_spec", lambda name: None)
    with pytest.raises(DemixError, match=r"needs tensorflow and ai_edge_litert.*demix-lab\[tensorflow\]"):
        export_tensorflow(tmp_path, tmp_path / "out")
