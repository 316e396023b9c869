"""Results folders that are small, strange or spoilt."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from demix import report
from demix.errors import DemixError
from demix.report import listen


def test_names_cannot_break_the_page(copied: Path) -> None:
    shutil.rmtree(copied / "excerpt")
    path = copied / "results.json"
    facts = json.loads(path.read_text())
    facts["name"] = facts["command"] = facts["dataset"]["train"][0] = facts["systems"][0]["label"] = '<b>&"$x'
    facts["systems"][2]["label"] = "</script>"
    path.write_text(json.dumps(facts))
    page = report.build(copied).read_text(encoding="utf-8")
    assert '<b>&"' not in page
    assert page.count("</script>") == 1
    assert "&lt;b&gt;&amp;&quot;$x" in page


@pytest.mark.parametrize("kept", ["unet", "none"])
def test_fewer_nets_make_a_smaller_page(copied: Path, kept: str) -> None:
    shutil.rmtree(copied / "excerpt")
    path = copied / "results.json"
    facts = json.loads(path.read_text())
    facts["systems"] = [each for each in facts["systems"] if each["kind"] == "baseline" or each["name"] == kept]
    path.write_text(json.dumps(facts))
    page = report.build(copied).read_text(encoding="utf-8")
    assert 'id="difference"' not in page
    assert ("no net was scored" in page) == (kept == "none")
    assert len(report.summary(copied).tables) == (3 if kept == "unet" else 2)


def spoil_json(folder: Path) -> None:
    (folder / "results.json").write_text("{")


def spoil_facts(folder: Path) -> None:
    (folder / "results.json").write_text('{"name": "x"}')


def spoil_scores(folder: Path) -> None:
    lines = (folder / "scores.csv").read_text().splitlines(keepends=True)
    (folder / "scores.csv").write_text("".join(line for line in lines if not line.startswith("vit,")))


def spoil_history(folder: Path) -> None:
    (folder / "history-vit.csv").write_text("step,seconds,loss\n1,2,x\n")


def spoil_sound(folder: Path) -> None:
    (folder / "excerpt" / "unet-bass.flac").write_bytes(b"no sound")


def spoil_masks(folder: Path) -> None:
    np.savez(folder / "excerpt" / "masks.npz", mixture_db=np.zeros((4, 5)), truth_db=np.zeros((4, 4, 5)))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "results.json").unlink(), "results.json"),
        (lambda folder: (folder / "seconds.csv").unlink(), "seconds.csv"),
        (spoil_json, "results.json"),
        (spoil_facts, "created, version, dataset, systems"),
        (spoil_scores, "expected scores of vit"),
        (spoil_history, "history-vit.csv"),
        (spoil_sound, "unet-bass.flac"),
        (spoil_masks, "oracle"),
    ],
)
def test_a_spoilt_folder_is_named_and_left_without_a_page(
    copied: Path, spoil: Callable[[Path], None], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "_mp3", lambda *_: b"")
    spoil(copied)
    with pytest.raises(DemixError, match=re.escape(named)):
        report.build(copied)
    assert not list(copied.glob("*index.html*"))
