"""`demix bench train`: it prints what was measured, and needs nothing but numpy, torch and pure-Python packages."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from demix.config import Config, Data, load_config
from demix.errors import DemixError
from demix.models import build_net
from demix.training import bench_case, open_unmix
from demix.training.bench import bench_training, write_songs
from demix.training.bench_case import Case, measure
from demix.training.flops import count_step_flops

Settings = Callable[..., list[str]]
CPU = torch.device("cpu")

# A bare GPU machine has none of these; the command itself needs typer and rich, which are pure Python.
WITHOUT = """
import sys
for name in ('av', 'soundfile', 'soxr', 'scipy', 'onnxruntime', 'librosa', 'matplotlib', 'pandas', 'PIL'):
    sys.modules[name] = None
from demix.cli import main
main()
"""


def options(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def run_bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, "bench", "train", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=None)


def test_json_and_table_tell_of_every_row(nano_settings: Settings) -> None:
    shared = [setting for setting in nano_settings("unet") if not setting.startswith(("model.name", "model.options.w"))]
    done = run_bench("--net", "unet", "--steps", "2", "--rounds", "2", "--json", *options(shared))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["device"] == "cpu"
    assert found["machine"]["torch"] == torch.__version__
    assert [(row["net"], row["how"]) for row in found["rows"]] == [
        ("unet", "demix"),
        ("unet", "plain"),
        ("open-unmix", "open-unmix"),
    ]
    ours, plain, theirs = found["rows"]
    flops = count_step_flops(load_config(None, ['model.name="unet"', *shared]))
    for row in (ours, plain):
        assert row["flops"] == pytest.approx(flops * row["steps_per_second"])
        assert 0 < row["peak_share"] < 1
    for row in found["rows"]:
        assert row["audio_per_second"] == pytest.approx(2 * 0.5 * row["steps_per_second"])
        assert 0 < row["waiting_share"] < 1
    assert plain["times_plain"] == [1, 1]
    assert len(ours["times_plain"]) == 2
    assert theirs["flops"] is theirs["peak_share"] is None


def test_table_fits_a_terminal(nano_settings: Settings) -> None:
    done = run_bench("--net", "vit", "--steps", "1", "--rounds", "1", "--alone", *options(nano_settings("vit")))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 90
    assert "vit tiny" in done.stdout
    assert "plain" not in done.stdout.replace("x plain", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--net", "resnet"), "model.name: expected one of unet, vit, received 'resnet'"),
        (("--preset", "huge"), "model.preset: expected one of tiny, small, base, received 'huge'"),
        (("--set", "data.segment_seconds=60"), "training song of at least 60.00 s"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], says: str) -> None:
    done = run_bench("--steps", "1", "--rounds", "1", "--alone", *words)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("demix:")]
    assert len(lines) == 1
    assert says in lines[0]
    assert "Traceback" not in done.stderr


def test_waiting_is_the_share_of_reading(
    nano_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that only the code below moves: a batch takes 3 s, a step 1 s."""
    now = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    real = bench_case.batches

    def slow(*arguments: object, **named: object) -> object:
        for stems in real(*arguments, **named):  # type: ignore[arg-type]
            pass_time(3)
            yield stems

    def prepare(*_: object) -> tuple[Callable[..., torch.Tensor], int]:
        def step(*_: object) -> torch.Tensor:
            pass_time(1)
            return torch.zeros(())

        return step, 7

    monkeypatch.setattr(bench_case, "batches", slow)
    monkeypatch.setattr(bench_case, "_prepare", prepare)
    monkeypatch.setattr(bench_case, "product_flops", lambda *_: 1.0)
    monkeypatch.setattr(bench_case.time, "perf_counter", lambda: now)
    found = measure(Case("plain", "", nano_settings("unet"), 4, write_songs(tmp_path)))
    assert (found.step_seconds, found.waiting_share, found.parameters) == (4, 0.75, 7)


def test_rate_of_matrix_products_is_plausible_and_falls_in_double_work() -> None:
    assert 1e8 < bench_case.product_flops(CPU, "float32") < 1e14


def test_open_unmix_learns_the_batch_that_it_is_timed_on() -> None:
    assert find_spec("openunmix") is not None, "make test installs it"
    torch.manual_seed(0)
    step = open_unmix.open_unmix_step(Config(data=Data(segment_seconds=0.5, batch_size=2)), CPU)
    stems = 0.1 * torch.randn(2, 4, 2, 22_050)
    losses = [float(step(stems)) for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]


def test_open_unmix_that_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_unmix, "find_spec", lambda name: None)
    with pytest.raises(DemixError, match=r"pip install --no-deps openunmix==1\.3\.0"):
        open_unmix.open_unmix_step(Config(), CPU)


def test_flops_are_three_times_the_forward_pass_and_grow_with_the_batch() -> None:
    from demix.evaluation.cost import count_flops

    for name in ("unet", "vit"):
        settings = load_config(None, [f"model.name={name}"])
        forward = count_flops(build_net(settings), settings) * settings.data.segment_seconds * settings.data.batch_size
        # The first layer's input, and the pooling to bands, need no gradient.
        assert 2.1 * forward < count_step_flops(settings) < 3 * forward
        twice = load_config(None, [f"model.name={name}", "data.batch_size=8"])
        assert count_step_flops(twice) == 2 * count_step_flops(settings)
        again = load_config(None, [f"model.name={name}", "speed.checkpoint_activations=true"])
        assert count_step_flops(again) == count_step_flops(settings)
        assert count_step_flops(again, recomputed=True) > 1.15 * count_step_flops(settings)


def test_measurement_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="expected one that is here"):
        bench_training(["unet"], ["tiny"], settings=["training.device=mps"], steps=1, rounds=1, beside=())
