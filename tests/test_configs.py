"""The configs that ship: pairs that may be compared."""

from pathlib import Path

import pytest
import torch

from demix.config import load_config
from demix.models import build_net, count_parameters

CONFIGS = Path(__file__).parents[1] / "configs"
PAIRS = sorted(path.name.removesuffix("-unet.toml") for path in CONFIGS.glob("*-unet.toml"))


def test_every_config_is_half_of_a_pair() -> None:
    alone = {path.name for path in CONFIGS.glob("*.toml") if not path.name.startswith("protocol-")}
    assert alone == {f"{pair}-{net}.toml" for pair in PAIRS for net in ("unet", "vit")}
    assert {"tiny", "release", "musdb18", "musdb18-big"} <= set(PAIRS)


@pytest.mark.parametrize("pair", PAIRS)
def test_both_nets_of_a_pair_are_as_large_and_learn_the_same_batches(pair: str) -> None:
    unet, vit = (load_config(CONFIGS / f"{pair}-{net}.toml") for net in ("unet", "vit"))
    assert (unet.model.name, vit.model.name) == ("unet", "vit")
    assert (unet.data, unet.augment, unet.loss, unet.training) == (vit.data, vit.augment, vit.loss, vit.training)
    assert unet.speed.precision == vit.speed.precision
    with torch.device("meta"):  # shapes alone
        parameters = [count_parameters(build_net(each)) for each in (unet, vit)]
    assert max(parameters) / min(parameters) < 1.05
