"""Protocols: the files that ship, what a control may change, and what is refused."""

from pathlib import Path

import pytest
import torch

from demix.config import Config
from demix.errors import DemixError
from demix.evidence_runs import check_variants
from demix.models import build_net, count_parameters
from demix.protocol import Protocol, Variant, read_protocol, settings_of

CONFIGS = Path(__file__).parents[1] / "configs"
SHIPPED = ("protocol-tiny.toml", "protocol-musdb18.toml")

SMALL = """
name = "trial"
seeds = [0, 1]
set = ["training.steps=10"]
[[nets]]
group = "unet"
label = "U-Net"
set = ["model.name=unet"]
[[nets]]
group = "vit"
label = "ViT"
set = ["model.name=vit", "training.warmup_steps=3"]
"""
CONTROL = """
[[controls]]
group = "near"
label = "near"
of = "vit"
aspect = "attention window"
set = ["model.options.window_frames=22"]
"""


def read(tmp_path: Path, text: str) -> Protocol:
    path = tmp_path / "protocol.toml"
    path.write_text(text)
    return read_protocol(path)


def parameters(settings: Config) -> int:
    with torch.device("meta"):
        return count_parameters(build_net(settings))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_match_nets_and_controls_in_parameters(name: str) -> None:
    plan = read_protocol(CONFIGS / name)
    assert len(plan.seeds) >= 3
    counts = {
        variant.group: parameters(settings_of(plan, variant, CONFIGS / name))
        for variant in (*plan.nets, *plan.controls)
    }
    assert max(counts.values()) <= 1.05 * min(counts.values()), counts


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_control_differs_from_its_net_in_one_section(name: str) -> None:
    plan = read_protocol(CONFIGS / name)
    plain = {net.group: settings_of(plan, net, CONFIGS / name, control=True) for net in plan.nets}
    for control in plan.controls:
        here, there = settings_of(plan, control, CONFIGS / name, control=True), plain[control.of]
        differing = {key for key in vars(here) if getattr(here, key) != getattr(there, key)} - {"speed"}
        assert differing == ({"data"} if control.aspect == "segment length" else {"model"}), control.group
        if differing == {"data"}:  # a step holds as much music
            seconds = [each.data.segment_seconds * each.data.batch_size for each in (here, there)]
            assert seconds[0] == pytest.approx(seconds[1], rel=0.02)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_have_every_control_that_is_asked_for(name: str) -> None:
    plan = read_protocol(CONFIGS / name)
    aspects = [control.aspect for control in plan.controls]
    counts = {aspect: aspects.count(aspect) for aspect in aspects}
    assert counts == {"attention window": 3, "positions": 1, "bottleneck": 2, "patch shape": 2, "segment length": 6}
    patches = [settings_of(plan, each, CONFIGS / name) for each in plan.controls if each.aspect == "patch shape"]
    sizes = {height * width for height, width in (each.model.options["patch_size"] for each in patches)}
    assert len(sizes) == 1
    assert set(plan.chunk_seconds) == {1.5, 3, 6, 12}


def test_settings_come_from_file_protocol_budget_net_and_control_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text("[training]\nsteps = 7\nclip_norm = 5\n[data]\nbatch_size = 3\n")
    text = SMALL.replace('label = "ViT"', 'label = "ViT"\nfile = "net.toml"').replace(
        "seeds = [0, 1]", 'seeds = [0, 1]\ncontrol_seeds = [0]\ncontrol_set = ["training.steps=4"]'
    )
    plan, path = read(tmp_path, text + CONTROL), tmp_path / "protocol.toml"
    net = settings_of(plan, plan.nets[1], path, "training.seed=5")
    assert (net.training.steps, net.training.clip_norm, net.training.warmup_steps) == (10, 5, 3)
    assert (net.training.seed, net.data.batch_size, net.model.options) == (5, 3, {})
    control = settings_of(plan, plan.controls[0], path, control=True)
    assert (control.training.steps, control.training.warmup_steps) == (4, 3)
    assert (control.model.name, control.model.options) == ("vit", {"window_frames": 22})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seeds = [0, 1]", "seeds = [0, 0]"), "each once"),
        (("seeds = [0, 1]", "seeds = []"), "each once"),
        (("seeds = [0, 1]", 'seeds = ["a"]'), "expected int"),
        (("seeds = [0, 1]", "seeds = [0, -1]"), "from 0 on"),
        (("seeds = [0, 1]", "seeds = [0, 1]\nchunk_seconds = [3, 3.0]"), "chunk_seconds: expected each once"),
        (("[[nets]]", "[learning_rates]\nvalues = [1e-3, 1.0000001e-3]\n[[nets]]"), "values: expected each once"),
        (("[[nets]]", "[loops]\nloop_seconds = 0.5\n[[nets]]"), "loops.loop_seconds"),
        (('group = "vit"', 'group = "UNET"'), "each once"),
        (('group = "vit"', 'group = "control-unet"'), "plain names"),
        (('name = "trial"', 'name = "a\\nb"'), "name"),
        (('name = "trial"', f'name = "{"x" * 200}"'), "name"),
        (("seeds = [0, 1]", "seed = [0, 1]"), "unknown key seed"),
        (("seeds = [0, 1]", ""), "found no seeds"),
        (('name = "trial"', "name = 3"), "expected str"),
        (('group = "vit"', 'group = "unet"'), "each once"),
        (('group = "vit"', 'group = "a/b"'), "plain names"),
        (("training.steps=10", "training.stepz=10"), "training.stepz"),
        (("[[nets]]\ngroup", "[[controls]]\ngroup"), "expected two"),
        (('label = "ViT"', 'label = "ViT"\nfile = "none.toml"'), "none.toml"),
        (("[[nets]]", "[rule]\npower = 2\n[[nets]]"), "rule.power"),
        (("[[nets]]", "[rule]\nalpah = 0.1\n[[nets]]"), "unknown key alpah"),
        (("[[nets]]", "[probes]\nframes = 0\n[[nets]]"), "probes.frames"),
        (('set = ["training.steps=10"]', 'set = "training.steps=10"'), "expected a list"),
        (('name = "trial"', 'name = "../x"'), "name"),
        (('name = "trial"', 'name = "x" y'), "TOML"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in SMALL
    with pytest.raises(DemixError) as error:
        read(tmp_path, SMALL.replace(*change, 1))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_controls_need_seeds_and_a_net_to_vary(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="control_seeds"):
        read(tmp_path, SMALL + CONTROL)
    with_seeds = SMALL.replace("seeds = [0, 1]", "seeds = [0, 1]\ncontrol_seeds = [0]")
    assert read(tmp_path, with_seeds + CONTROL).controls == (
        Variant("near", "near", ("model.options.window_frames=22",), "", "vit", "attention window"),
    )
    with pytest.raises(DemixError, match="expected unet or vit, received 'rnn'"):
        read(tmp_path, with_seeds + CONTROL.replace('of = "vit"', 'of = "rnn"'))


def test_a_protocol_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"nowhere\.toml"):
        read_protocol(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("training.warmup_steps=3", "training.ema_decay=0.5", "[training]: ema_decay"),
        ("training.warmup_steps=3", "loss.waveform=0.2", "[loss] differs"),
        ("window_frames=22", "windo=22", "cannot be built"),
        ("model.options.window_frames=22", "training.seed=9", "near: training"),
        ("model.options.window_frames=22", "augment.remix=0.5", "near: augment"),
        ("model.options.window_frames=22", "model.mask=sigmoid", "near: [model]: mask"),
        ("model.options.window_frames=22", "speed.precision=tf32", "near: [speed]: precision"),
        ('of = "vit"', 'of = "vit"\nfile = "x.toml"', "near: file"),
        ('label = "ViT"', 'label = "ViT"\nof = "unet"', "expected no `of`"),
        ("[[controls]]", "[loops]\nseconds = 9\nloop_seconds = 1.2\n[[controls]]", "a whole second fits into"),
        ("[[controls]]", "[loops]\nseconds = 4\nloop_seconds = 3\n[[controls]]", "at least three loops"),
    ],
)
def test_what_would_fail_or_be_unfair_after_hours_is_refused_before(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    fair = SMALL.replace(', "training.warmup_steps=3"', "") if "training" not in old or "seed" in new else SMALL
    text = (fair + CONTROL).replace("seeds = [0, 1]", "seeds = [0, 1]\ncontrol_seeds = [0]")
    assert old in text
    plan, path = read(tmp_path, text.replace(old, new, 1)), tmp_path / "protocol.toml"
    with pytest.raises(DemixError) as error:
        check_variants(plan, path)
    assert words in str(error.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_are_fair(name: str) -> None:
    check_variants(read_protocol(CONFIGS / name), CONFIGS / name)
