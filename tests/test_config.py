"""Settings: defaults, TOML, single settings, and what is refused."""

import json
from pathlib import Path

import pytest

from demix.config import Config, from_dict, load_config, to_dict
from demix.errors import DemixError


def test_defaults_are_what_the_classes_say() -> None:
    assert load_config() == Config()


def test_file_then_settings(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nname = "vit"\noptions = { depth = 3 }\n[training]\nsteps = 7\nseed = 5\n')
    config = load_config(path, ["training.steps=9", "model.mask=sigmoid", "model.options.depth=4"])
    assert (config.model.name, config.model.mask) == ("vit", "sigmoid")
    assert config.model.options == {"depth": 4}
    assert (config.training.steps, config.training.seed) == (9, 5)


def test_settings_survive_json() -> None:
    config = load_config(None, ["model.options.widths=[4, 8]", "training.learning_rate=1"])
    assert from_dict(json.loads(json.dumps(to_dict(config))), where="run.json") == config
    assert isinstance(config.training.learning_rate, float)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("training.stepps=3", "unknown key training.stepps"),
        ("trainin.steps=3", r"unknown section \[trainin\]"),
        ("training.steps=0", "training.steps: expected 1 to"),
        ("training.steps=1.5", "training.steps: expected int, received 1.5"),
        ("training.steps=true", "training.steps: expected int, received True"),
        ("training.learning_rate=nan", "training.learning_rate: expected 0 to 1, received nan"),
        ("model.mask=hard", "model.mask: expected one of softmax, sigmoid"),
        ("augment.level=1", "augment.level: expected bool"),
        ("augment.transpose.piano=[0, 1]", "unknown key augment.transpose.piano; expected one of vocals, drums"),
        ("augment.transpose.bass=[1, 0]", "augment.transpose.bass: expected the lowest and highest semitones"),
        ("augment.transpose.bass=[0, 99]", r"received \[0, 99\]"),
        ("augment.transpose.bass=5", "received 5"),
        ("augment.transpose=5", "augment.transpose: expected dict"),
        ("data.also=5", "data.also: expected dict"),
        ("data.also.free=1", "data.also: free is data.dataset already"),
        ("data.also.more=0", "data.also.more: expected a weight above 0"),
        ("data.also.more=true", "received True"),
        ("data.also.more=nan", "received nan"),
        ("steps=3", "expected section.key=value"),
        ("training.steps", "expected section.key=value"),
        ("training=3", "expected section.key=value"),
        ("training.steps.more=3", "training.steps: expected int"),
    ],
)
def test_bad_setting_is_one_sentence(setting: str, says: str) -> None:
    with pytest.raises(DemixError, match=says) as caught:
        load_config(None, [setting])
    assert "\n" not in str(caught.value)


def test_a_loss_of_nothing_is_refused() -> None:
    with pytest.raises(DemixError, match="all 0"):
        load_config(None, ["loss.waveform=0", "loss.spectrum=0"])


def test_a_folder_whose_name_is_a_number_is_a_name() -> None:
    assert load_config(None, ["data.dataset=2024"]).data.dataset == "2024"
    assert load_config(None, ['data.dataset="my songs"']).data.dataset == "my songs"


@pytest.mark.parametrize("content", [None, b"steps = ", b"\xff\xfe", b"training = 3"])
def test_bad_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DemixError, match=r"run\.toml"):
        load_config(path)
    with pytest.raises(DemixError, match="cannot be read"):
        load_config(tmp_path)


def test_every_shipped_config_loads_and_builds_a_net() -> None:
    from demix.models import build_net

    folder = Path(__file__).parents[1] / "configs"
    paths = sorted(set(folder.glob("*.toml")) - set(folder.glob("protocol-*.toml")))  # those have tests of their own
    assert paths
    for path in paths:
        config = load_config(path)
        assert path.read_text().startswith("#"), f"{path.name}: expected a header"
        if config.model.preset == "tiny":
            build_net(config)
