"""The house: what README, configs and pins say agrees with the tree."""

import re
from pathlib import Path

from demix import __version__
from demix.config import load_config
from demix.models import MODELS

ROOT = Path(__file__).parents[1]


def test_file_map_of_readme_is_the_tree() -> None:
    map_ = (ROOT / "README.md").read_text(encoding="utf-8").partition("## File map")[2]
    listed = set(re.findall(r"^ {6}(\S+\.py) ", map_, flags=re.MULTILINE))
    package = ROOT / "src" / "demix"
    assert listed == {path.relative_to(package).as_posix() for path in package.rglob("*.py")}


def test_tiny_configs_are_what_compare_trains_by_default() -> None:
    for name in MODELS:
        assert load_config(ROOT / "configs" / f"tiny-{name}.toml") == load_config(None, [f"model.name={name}"])


def test_pins_are_versions_without_addresses() -> None:
    for name in ("constraints.txt", "constraints-tensorflow.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pins = [line.partition("#")[0].strip() for line in lines]
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins if pin)


def test_citation_and_changelog_name_the_version() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
