"""Transfer from vision: blocks of timm compute the same here, what is kept, what is recorded, what is refused."""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from demix.compare import PlannedRun, check_starts
from demix.config import Config, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.data.stored import StoredTrack
from demix.errors import DemixError
from demix.export import _gather_facts as gather_facts
from demix.export_card import make_card
from demix.models import build_net
from demix.models.transfer import Start, read_start, resample_patches, resample_rows
from demix.models.vit import ViT
from demix.protocol import read_protocol, settings_of
from demix.runtime import BEST_FILE, RUN_FILE, load_run, read_run_record
from demix.training.checkpoint import LAST_FILE
from demix.training.engine import Engine
from demix.training.loop import TrainEvent, train

Settings = Callable[..., list[str]]
Weights = dict[str, Tensor]
SHIPPED = Path(__file__).parents[1] / "configs" / "protocol-transfer.toml"
# Names and shapes of timm's test_vit, with fewer blocks and smaller patches.
DIM, HEADS, DEPTH, HIDDEN, SIDE, PATCH = 64, 2, 3, 192, 5, 4


def make_weights(*, scales: bool = False, **extra: Tensor) -> Weights:
    """A state dict as `timm.create_model` gives it, with random numbers in the place of ImageNet's."""
    draw = torch.Generator().manual_seed(3)
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, DIM),
        "pos_embed": (1, 1 + SIDE * SIDE, DIM),
        "patch_embed.proj.weight": (DIM, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (DIM,),
        "norm.weight": (DIM,),
        "norm.bias": (DIM,),
        "head.weight": (10, DIM),
        "head.bias": (10,),
    }
    layers = {"norm1": (DIM,), "attn.qkv": (3 * DIM, DIM), "attn.proj": (DIM, DIM), "norm2": (DIM,)}
    for block in range(DEPTH):
        for name, shape in {**layers, "mlp.fc1": (HIDDEN, DIM), "mlp.fc2": (DIM, HIDDEN)}.items():
            shapes[f"blocks.{block}.{name}.weight"] = shape
            shapes[f"blocks.{block}.{name}.bias"] = shape[:1]
        if scales:
            shapes |= {f"blocks.{block}.{name}.gamma": (DIM,) for name in ("ls1", "ls2")}
    return {name: 0.2 * torch.randn(shape, generator=draw) for name, shape in shapes.items()} | extra


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_file(make_weights(), tmp_path / "vit.safetensors")
    return tmp_path / "vit.safetensors"


@pytest.fixture
def small(nano_settings: Settings) -> Callable[..., Config]:
    """Settings of a nano ViT of the source's sizes that starts from a file."""

    def settings(file: Path | None, *more: str, depth: int = 2) -> Config:
        sizes = [f"model.options.{key}" for key in (f"embed_dim={DIM}", f"num_heads={HEADS}", "mlp_ratio=3")]
        init = [f"model.init=timm:test_vit@{file}"] if file else []
        return load_config(None, [*nano_settings("vit"), *sizes, f"model.options.depth={depth}", *init, *more])

    return settings


@pytest.fixture(scope="module")
def tracks(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[StoredTrack]:
    folder = tmp_path_factory.mktemp("store")
    prepare(open_dataset(songs_folder), folder)
    return open_store(folder)


def start_of(settings: Config) -> Start:
    start = read_start(settings)
    assert start is not None
    return start


def started(settings: Config) -> ViT:
    """The net of some settings with the weights it starts from."""
    start, net = start_of(settings), build_net(settings)
    assert isinstance(net, ViT)
    net.load_state_dict({**net.state_dict(), **start.tensors})
    return net.eval()


def run_blocks(net: ViT, tokens: Tensor) -> Tensor:
    for block in net.blocks:
        tokens = block(tokens, None, None)
    return tokens


def expected_block(source: Weights, number: int, tokens: Tensor) -> Tensor:
    """A pre-norm block by PyTorch's own attention, `(batch, tokens, DIM)`, with scales where the source has them."""
    block = {name.removeprefix(f"blocks.{number}."): value for name, value in source.items()}

    def both(name: str) -> tuple[Tensor, Tensor]:
        return block[f"{name}.weight"], block[f"{name}.bias"]

    normed = functional.layer_norm(tokens, (DIM,), *both("norm1")).transpose(0, 1)
    qkv, proj = both("attn.qkv"), both("attn.proj")
    attended, _ = functional.multi_head_attention_forward(
        normed, normed, normed, DIM, HEADS, *qkv, None, None, False, 0.0, *proj, need_weights=False
    )
    tokens = tokens + block.get("ls1.gamma", torch.ones(DIM)) * attended.transpose(0, 1)
    hidden = functional.gelu(functional.linear(functional.layer_norm(tokens, (DIM,), *both("norm2")), *both("mlp.fc1")))
    return tokens + block.get("ls2.gamma", torch.ones(DIM)) * functional.linear(hidden, *both("mlp.fc2"))


# ---- what is taken ----


@pytest.mark.parametrize("scales", [False, True])
def test_blocks_give_what_they_gave_in_the_source(scales: bool, small: Callable[..., Config], tmp_path: Path) -> None:
    source = make_weights(scales=scales)
    save_file(source, tmp_path / "vit.safetensors")
    tokens = torch.randn(2, 7, DIM)
    expected = tokens
    with torch.no_grad():
        for number in range(2):
            expected = expected_block(source, number, expected)
        found = run_blocks(started(small(tmp_path / "vit.safetensors")), tokens)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found, tokens, atol=0.1)


def test_blocks_patches_and_positions_are_those_of_timm(small: Callable[..., Config], tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", exc_type=ImportError, reason="timm is not installed")
    torch.manual_seed(1)
    theirs = timm.create_model("test_vit", pretrained=False, norm_layer=nn.LayerNorm).eval()  # with the eps of ours
    for value in theirs.parameters():
        nn.init.normal_(value, std=0.2)
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    net = started(small(tmp_path / "vit.pth", "model.options.patch_size=[8, 4]", depth=len(theirs.blocks)))
    tokens = torch.randn(2, 7, DIM)
    with torch.no_grad():
        torch.testing.assert_close(
            net.norm(run_blocks(net, tokens)), theirs.norm(theirs.blocks(tokens)), rtol=1e-5, atol=1e-5
        )
    kernels = theirs.patch_embed.proj.weight.detach()
    expected = timm.layers.resample_patch_embed(kernels, (8, 4))
    torch.testing.assert_close(resample_patches(kernels, (8, 4)), expected, rtol=1e-4, atol=1e-5)
    assert net.row_embed is not None
    rows = net.row_embed.shape[1]
    side = int(theirs.patch_embed.num_patches**0.5)
    grid = timm.layers.resample_abs_pos_embed(theirs.pos_embed.detach(), (rows, side), num_prefix_tokens=1)
    expected = grid[0, 1:].reshape(rows, side, DIM).mean(1).T
    torch.testing.assert_close(net.row_embed[..., 0], expected, rtol=1e-4, atol=1e-5)


def test_a_patch_of_alike_maps_gives_what_the_picture_gave(small: Callable[..., Config], weights: Path) -> None:
    source = make_weights()
    picture = torch.rand(1, 1, PATCH, PATCH)
    for size in ((PATCH, PATCH), (8, 6)):  # into larger patches nothing is lost
        net = started(small(weights, f"model.options.patch_size={list(size)}"))
        expected = functional.conv2d(
            picture.expand(1, 3, -1, -1), source["patch_embed.proj.weight"], source["patch_embed.proj.bias"]
        )
        resized = functional.interpolate(picture, size, mode="bicubic", antialias=True)
        found = net.patch_embed(resized.expand(1, net.patch_embed.in_channels, -1, -1))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_rows_are_the_mean_of_their_columns_and_tokens_before_the_grid_are_left() -> None:
    grid = torch.randn(SIDE, SIDE, DIM)
    positions = torch.cat([torch.full((2, DIM), 9.0), grid.flatten(0, 1)])[None]
    torch.testing.assert_close(resample_rows(positions, SIDE)[..., 0], grid.mean(1).T)
    rising = torch.arange(SIDE, dtype=torch.float32)[:, None, None].expand(SIDE, SIDE, DIM).reshape(1, -1, DIM)
    more = resample_rows(rising, 12)[0, :, 0]
    assert more.shape == (12,)
    assert torch.all(more.diff() > 0)
    torch.testing.assert_close(more.mean(), torch.tensor(2.0))


def test_the_last_norm_comes_with_all_blocks_alone(small: Callable[..., Config], weights: Path) -> None:
    assert "norm.weight" not in start_of(small(weights, depth=2)).tensors
    assert torch.equal(start_of(small(weights, depth=DEPTH)).tensors["norm.weight"], make_weights()["norm.weight"])


def test_forms_of_files_give_the_same(small: Callable[..., Config], weights: Path, tmp_path: Path) -> None:
    source = {name: value.half() for name, value in make_weights().items()}
    torch.save(source, tmp_path / "a.pth")
    torch.save({"model": source, "epoch": 3}, tmp_path / "b.bin")
    first, second = (start_of(small(tmp_path / name)).tensors for name in ("a.pth", "b.bin"))
    there = start_of(small(weights)).tensors
    for name, value in there.items():
        assert torch.equal(first[name], second[name])
        assert first[name].dtype == torch.float32
        torch.testing.assert_close(first[name], value, rtol=2e-2, atol=2e-2)


def test_without_positions_none_are_taken(small: Callable[..., Config], weights: Path) -> None:
    assert "row_embed" not in start_of(small(weights, "model.options.positions=none")).tensors


def test_a_model_without_a_file_is_asked_of_timm(
    small: Callable[..., Config], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_model(name: str, *, pretrained: bool) -> SimpleNamespace:
        if (name, pretrained) != ("test_vit", True):
            raise RuntimeError(f"Unknown model ({name})")
        return SimpleNamespace(state_dict=make_weights)

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    settings = small(None, "model.init=timm:test_vit")
    start = start_of(settings)
    assert start.record["sha256"] is None
    from_file = start_of(small(weights)).tensors
    assert all(torch.equal(value, from_file[name]) for name, value in start.tensors.items())
    with pytest.raises(DemixError, match=r"timm:vit_no: timm has no weights of it here \(Unknown model \(vit_no\)\)"):
        read_start(small(None, "model.init=timm:vit_no"))


# ---- in a run ----


def test_what_is_not_taken_starts_as_without_and_the_batches_are_the_same(
    small: Callable[..., Config],
    weights: Path,
    tracks: list[StoredTrack],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: dict[str, list[Tensor]] = {"with": [], "without": []}
    still = ("training.learning_rate=0", "training.steps=2")
    real = Engine.step
    for name, file in (("with", weights), ("without", None)):

        def step(engine: Engine, stems: Tensor, number: int, name: str = name) -> Tensor:
            heard[name].append(stems.clone())
            return real(engine, stems, number)

        monkeypatch.setattr(Engine, "step", step)
        train(small(file, *still), tmp_path / name, tracks=tracks)
    assert len(heard["with"]) == 2
    assert all(torch.equal(one, other) for one, other in zip(heard["with"], heard["without"], strict=True))
    record = read_run_record(tmp_path / "with")["init"]
    one, other = (load_file(tmp_path / name / BEST_FILE) for name in heard)
    assert {*record["taken"], *record["kept"]} == one.keys()
    assert all(torch.equal(one[name], other[name]) for name in record["kept"])
    assert not any(torch.equal(one[name], other[name]) for name in record["taken"])
    source = make_weights()
    torch.testing.assert_close(one["blocks.1.qkv.weight"], source["blocks.1.attn.qkv.weight"])
    assert {name.partition(".")[0] for name in record["taken"]} == {"patch_embed", "blocks", "row_embed"}


def test_a_run_says_what_it_took_and_needs_the_source_once(
    small: Callable[..., Config], weights: Path, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    class InterruptionError(Exception):
        pass

    told: list[str] = []

    def stop(event: TrainEvent) -> None:
        told.append(event.message)
        if event.step == 3:
            raise InterruptionError

    settings = small(weights)
    train(settings, tmp_path / "whole", tracks=tracks)
    with pytest.raises(InterruptionError):
        train(settings, tmp_path / "run", tracks=tracks, on_event=stop)
    said = f"timm:test_vit@{weights}: taken are patch_embed, 2 blocks, row_embed; features, norm, unfold, head start"
    assert sum(message.startswith(said) for message in told) == 1
    record = read_run_record(tmp_path / "run")["init"]
    assert record["source"] == f"timm:test_vit@{weights}"
    assert record["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.unlink()
    train(settings, tmp_path / "run", tracks=tracks, resume=True)
    one, other = (load_file(tmp_path / name / LAST_FILE) for name in ("whole", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    run = load_run(tmp_path / "run", device="cpu")
    assert run.config == settings
    card = make_card(gather_facts(run, {}, (), {}))
    assert "Begun with the ImageNet weights of `timm:test_vit`" in card
    assert str(weights) not in card


def test_a_run_that_has_no_checkpoint_yet_starts_from_the_source_again(
    small: Callable[..., Config], weights: Path, tracks: list[StoredTrack], tmp_path: Path
) -> None:
    settings = small(weights)
    train(settings, tmp_path / "whole", tracks=tracks)
    (tmp_path / "run").mkdir()
    record = read_run_record(tmp_path / "whole")
    record["init"]["sha256"] = "that of a file that was there before"
    (tmp_path / "run" / RUN_FILE).write_text(json.dumps(record))
    train(settings, tmp_path / "run", tracks=tracks, resume=True)
    assert read_run_record(tmp_path / "run")["init"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    one, other = (load_file(tmp_path / name / LAST_FILE) for name in ("whole", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_runs_of_before_go_on(small: Callable[..., Config], tracks: list[StoredTrack], tmp_path: Path) -> None:
    settings = small(None)
    train(settings, tmp_path / "run", tracks=tracks)
    path = tmp_path / "run" / RUN_FILE
    record = json.loads(path.read_text())
    del record["config"]["model"]["init"]
    assert "init" not in record
    path.write_text(json.dumps(record))
    assert train(settings, tmp_path / "run", tracks=tracks, resume=True).step == settings.training.steps


# ---- what is refused ----


def without(*names: str) -> Weights:
    return {name: value for name, value in make_weights().items() if name not in names}


@pytest.mark.parametrize(
    ("source", "setting", "words"),
    [
        (None, "", "cannot be read (No such file or directory)"),
        (b"not tensors", "", "cannot be understood as .safetensors"),
        (without("blocks.0.attn.proj.weight"), "", "found no blocks.0.attn.proj.weight"),
        (without("blocks.1.attn.proj.weight"), "", "found no blocks.1.attn.proj.weight"),
        (without("pos_embed"), "", "found no pos_embed"),
        ({"model.layer.weight": torch.ones(2)}, "", "found no patch_embed.proj.weight"),
        (make_weights(**{"blocks.0.attn.q_norm.weight": torch.ones(32)}), "", "found blocks.0.attn.q_norm.weight"),
        (make_weights(**{"norm_pre.weight": torch.ones(DIM)}), "", "found norm_pre.weight"),
        (
            make_weights(**{"blocks.0.mlp.fc2.weight": torch.ones(DIM, 96)}),
            "",
            "blocks.0.mlp.2.weight would have shape",
        ),
        (make_weights(**{"blocks.0.mlp.fc1.weight": torch.ones(HIDDEN)}), "", "expected weights of a plain ViT"),
        (make_weights(pos_embed=torch.ones(1, 1 + 4 * 5, DIM)), "", "positions on a square grid, received 21"),
        (make_weights(**{"blocks.0.attn.proj.bias": torch.full((DIM,), torch.nan)}), "", "values that are no numbers"),
        (make_weights(), "model.options.embed_dim=32", "set model.options.embed_dim=64, num_heads=2, mlp_ratio=3 and"),
        (make_weights(), "model.options.num_heads=4", "received embed_dim 64, num_heads 4, mlp_ratio 3 and depth 2"),
        (make_weights(), "model.options.mlp_ratio=4", "mlp_ratio 4 and"),
        (make_weights(), "model.options.depth=4", "a depth of at most 3"),
        (make_weights(), "model.init=vit_tiny_patch16_224", "expected timm:MODEL or timm:MODEL@FILE"),
        (make_weights(), "model.init=timm:vit_tiny@weights.npz", "ends in one of .safetensors, .pth"),
        (make_weights(), "model.init=timm:vit_relpos_base_patch16_rpn_224@{file}", "norms elsewhere"),
        (make_weights(), "model.init=timm:test_vit", "pip install 'demix-lab[vision]', or name a file"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_no_folder(
    source: Weights | bytes | None,
    setting: str,
    words: str,
    small: Callable[..., Config],
    tracks: list[StoredTrack],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # as where it is not installed
    file = tmp_path / "vit.safetensors"
    if isinstance(source, bytes):
        file.write_bytes(source)
    elif source is not None:
        save_file(source, file)
    settings = small(file, *([setting.format(file=file)] if setting else []))
    with pytest.raises(DemixError, match=re.escape(words)) as error:
        train(settings, tmp_path / "run", tracks=tracks)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("model.init: ")
    assert not (tmp_path / "run").exists()


def test_pickles_with_code_in_them_are_not_run(small: Callable[..., Config], tmp_path: Path) -> None:
    torch.save({"pos_embed": Path("x"), "patch_embed.proj.weight": print}, tmp_path / "vit.pth")
    with pytest.raises(DemixError, match=r"vit\.pth: expected tensors by their names"):
        read_start(small(tmp_path / "vit.pth"))


def test_pickles_that_were_cut_off_are_refused_wherever_it_was(small: Callable[..., Config], tmp_path: Path) -> None:
    file = tmp_path / "vit.pth"
    torch.save({"pos_embed": torch.ones(2), "norm.weight": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
    whole, settings = file.read_bytes(), small(file)
    for size in range(0, len(whole), 3):
        file.write_bytes(whole[:size])
        with pytest.raises(DemixError, match=r"vit\.pth: expected tensors by their names, but it cannot be understood"):
            read_start(settings)


def test_a_file_whose_tensors_have_numbers_for_names_is_refused(small: Callable[..., Config], tmp_path: Path) -> None:
    torch.save({0: torch.ones(2)}, tmp_path / "vit.pth")
    with pytest.raises(DemixError, match=r"found no patch_embed\.proj\.weight"):
        read_start(small(tmp_path / "vit.pth"))


# ---- from the command line ----


@pytest.fixture
def demix(tmp_path: Path, call_demix: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, run in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    return call_demix


def test_the_option_is_the_setting_and_a_unet_is_refused(
    demix: Callable[..., int],
    weights: Path,
    songs_folder: Path,
    nano_settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = f"timm:test_vit@{weights}"
    options = f"{{bands = 128, embed_dim = {DIM}, num_heads = {HEADS}, mlp_ratio = 3, depth = 1}}"
    for net, status in (("unet", 2), ("vit", 0)):
        changes = [change for change in nano_settings(net) if net == "unet" or "options" not in change]
        changes += [f"model.options={options}"] if net == "vit" else []
        arguments = [part for change in (*changes, f"data.dataset={songs_folder}") for part in ("--set", change)]
        assert demix("train", "--name", "a", *arguments, "--init", source) == status
        said = capsys.readouterr().err.splitlines()
        if net == "unet":
            assert said[-1] == f"demix: model.init: expected model.name=vit to start from {source}, received unet"
            assert not (tmp_path / "checkpoints").exists()
        else:
            assert any(
                line.startswith(f"demix: {source}: taken are patch_embed, 1 blocks, row_embed;") for line in said
            )
            assert read_run_record(tmp_path / "checkpoints" / "a")["config"]["model"]["init"] == source


def test_an_option_without_a_value_is_not_the_same_as_none(
    demix: Callable[..., int], songs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demix("train", "--set", f"data.dataset={songs_folder}", "--init", "") == 2
    assert "--init: expected timm:MODEL or timm:MODEL@FILE, received nothing" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_shipped_ablation_varies_the_start_alone() -> None:
    plan = read_protocol(SHIPPED)
    plain, started_ = (settings_of(plan, net, SHIPPED) for net in plan.nets)
    assert plain.model.init == ""
    assert started_.model.init == "timm:vit_tiny_patch16_224"
    assert replace(started_, model=replace(started_.model, init="")) == plain
    assert len(plan.seeds) >= 3


def test_the_ablation_runs_as_one_config(
    demix: Callable[..., int],
    weights: Path,
    songs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = {
        "timm:vit_tiny_patch16_224": f"timm:test_vit@{weights}",
        "data.dataset=free": f"data.dataset={songs_folder}",
        "embed_dim=192": f"embed_dim={DIM}",
        "num_heads=3": f"num_heads={HEADS}",
        "depth=4": "mlp_ratio=3",
        '"training.steps=400"': '"data.segment_seconds=0.5", "data.batch_size=2", "model.options.depth=2", '
        '"model.options.bands=128", "training.steps=4", "training.device=cpu"',
        "valid_every=100": "valid_every=4",
        "seeds = [0, 1, 2]": "seeds = [0, 1]",
        "steps = 120": "steps = 2",
        "values = [3e-4, 1e-3, 3e-3]": "values = [1e-3]",
    }
    text = "\n".join(line for line in SHIPPED.read_text().splitlines() if not line.startswith("#"))
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "nano.toml").write_text(text)
    weights.rename(away := tmp_path / "away")
    assert demix("compare", "--protocol", "nano.toml") == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "checkpoints").exists()  # told before the net without is trained
    away.rename(weights)
    assert demix("compare", "--protocol", "nano.toml") == 0
    for seed in (0, 1):
        plain, begun = (
            read_run_record(tmp_path / f"checkpoints/transfer-{net}-{seed}") for net in ("vit", "vit-imagenet")
        )
        assert "init" not in plain
        assert begun["init"]["source"] == f"timm:test_vit@{weights}"
        assert plain["seed"] == begun["seed"] == seed
        assert plain["parameters"] == begun["parameters"]
    page = (tmp_path / "results" / "transfer" / "index.html").read_text()
    assert "Paired difference ViT from ImageNet" in page
    weights.unlink()
    plan = read_protocol(tmp_path / "nano.toml")
    settings = settings_of(plan, plan.nets[1], tmp_path / "nano.toml")
    check_starts([PlannedRun(tmp_path / "checkpoints" / "transfer-vit-imagenet-0", settings)])  # begun: not read again
    with pytest.raises(DemixError, match="cannot be read"):
        check_starts([PlannedRun(tmp_path / "checkpoints" / "other", settings)])
