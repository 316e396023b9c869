"""Models on board: there, documented, free, and of use without PyTorch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

import demix
from demix.cli_models import models
from demix.config import STEMS
from demix.errors import DemixError
from demix.export_card import make_card
from demix.models import MODELS
from demix.onnx_model import open_onnx
from demix.pretrained import list_models, load, model_paths

BOARD = sorted(model_paths())


def run_python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_net_is_on_board() -> None:
    assert {facts.net for facts in list_models().values()} == set(MODELS)
    assert set(MODELS) <= set(BOARD)


@pytest.mark.parametrize("name", BOARD)
def test_card_is_what_the_file_says(name: str) -> None:
    path = model_paths()[name]
    assert path.with_suffix(".md").read_text(encoding="utf-8") == make_card(open_onnx(path).facts)


@pytest.mark.parametrize("name", BOARD)
def test_only_free_songs_were_learnt_from(name: str) -> None:
    training = list_models()[name].training
    assert training["licence"].startswith("CC0 1.0")
    songs = Path(__file__).parents[1] / "songs"
    learnt = [*training["songs_seconds"]["train"], *training["songs_seconds"]["valid"]]
    shipped = {song for song in learnt if "/" not in song}  # those of further sets are called <set>/<song>
    assert shipped
    assert all((songs / song).is_dir() for song in shipped)
    assert not shipped & set(list_models()[name].scored_songs)
    further = {label: facts["licence"] for label, facts in training["datasets"].items() if label != "free"}
    assert {song.split("/")[0] for song in set(learnt) - shipped} == set(further)
    for licence in further.values():
        assert licence.startswith("free to use, change, share and train on, also commercially")
        assert not re.search(r"\bNC\b|\bND\b|not recorded|not known", licence)


@pytest.mark.parametrize("name", BOARD)
def test_stems_add_up_to_the_song_and_are_nearer_to_the_truth_than_silence(name: str, song_excerpt: np.ndarray) -> None:
    mixture = song_excerpt.sum(axis=0)
    stems = load(name, device="cpu").separate(mixture)
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=1e-4)
    error = sum(np.square(stems[stem] - truth).sum() for stem, truth in zip(STEMS, song_excerpt, strict=True))
    assert error < np.square(song_excerpt).sum()


@pytest.mark.parametrize("name", BOARD)
def test_separating_needs_no_torch(name: str) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from demix import load\n"
        "stems = load(sys.argv[1]).separate(np.ones((2, 3), np.float32))\n"
        "print(*stems, 'onnx' in sys.modules, 'av' in sys.modules)"
    )
    assert run_python(code, name).split() == [*STEMS, "False", "False"]


def test_a_run_folder_without_torch_is_one_sentence(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from demix import load; from demix.errors import DemixError\n"
        "try:\n    load(sys.argv[1])\nexcept DemixError as error:\n    print(error)"
    )
    (tmp_path / "run.json").write_text('{"config": {}}')
    assert "expected torch to be installed" in run_python(code, str(tmp_path))


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"expected a model on board \(.*unet.*\), an \.onnx file or a run folder"):
        load(tmp_path / "nothing")
    with pytest.raises(DemixError, match="expected a run folder"):
        load(tmp_path)


def test_command_lists_what_is_on_board() -> None:
    app = Typer()
    app.command()(models)
    listed = json.loads(CliRunner().invoke(app, ["--json"]).output)
    assert sorted(listed) == BOARD
    table = CliRunner().invoke(app, []).output
    for name, facts in listed.items():
        assert name in table
        assert f"{facts['parameters']:,}" in table


def test_package_has_four_names_and_imports_nothing_for_them() -> None:
    assert demix.__all__ == ["Separator", "__version__", "load", "separate"]
    assert dir(demix) == demix.__all__
    assert all(getattr(demix, name) for name in demix.__all__)
    with pytest.raises(AttributeError, match="no attribute 'seperate'"):
        demix.seperate  # noqa: B018
    loaded = run_python("import sys, demix; print(*[name for name in sys.modules if name.startswith('demix.')])")
    assert loaded.split() == []
    assert "numpy" not in run_python("import sys, demix; print(*sys.modules)").split()
