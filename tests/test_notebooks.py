"""Notebooks: every one runs from top to bottom in any folder, and both files of a pair say the same."""

import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))
# What would only be there on the machine that a notebook was written on.
MACHINE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|tmp|work|mnt|opt)/|\b[A-Z]:\\|site-packages|localhost|127\.0\.0\.1"
)
GREATEST_BYTES = 6_000_000  # of a notebook saved with its sounds and pictures
LONGEST_CELL_SECONDS = 1200  # against waiting forever; no statement about speed

each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture
def kernel_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what Jupyter, IPython and the notebooks write out of the home and the tree."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TMPDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own, which shows pictures in the page
    return tmp_path


def outputs(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_there_are_the_five() -> None:
    assert [path.name[:2] for path in SOURCES] == ["1_", "2_", "3_", "4_", "5_"]
    assert {path.stem for path in SOURCES} == {path.stem for path in FOLDER.glob("*.ipynb")}


@each
def test_notebook_runs_and_shows_something(source: Path, kernel_folders: Path) -> None:
    notebook = jupytext.read(source)
    before = sorted(FOLDER.parent.iterdir())
    NotebookClient(notebook, timeout=LONGEST_CELL_SECONDS).execute(cwd=str(kernel_folders))
    kinds = {kind for output in outputs(notebook) for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert any(output["output_type"] == "stream" and output["name"] == "stdout" for output in outputs(notebook))
    if source.name[0] in "125":
        assert "<audio" in str(outputs(notebook))
    assert len(nbformat.writes(notebook)) < GREATEST_BYTES
    assert sorted(FOLDER.parent.iterdir()) == before


@each
def test_both_files_of_a_pair_say_the_same(source: Path) -> None:
    text, paired = jupytext.read(source), jupytext.read(source.with_suffix(".ipynb"))
    assert [(cell.cell_type, cell.source) for cell in text.cells] == [
        (cell.cell_type, cell.source) for cell in paired.cells
    ], "run `jupytext --sync notebooks/*.py`"
    assert text.metadata["kernelspec"] == paired.metadata["kernelspec"]
    nbformat.validate(nbformat.read(source.with_suffix(".ipynb"), as_version=nbformat.NO_CONVERT))


@each
def test_no_outputs_and_nothing_of_the_machine_is_kept(source: Path) -> None:
    paired = source.with_suffix(".ipynb")
    notebook = nbformat.read(paired, as_version=4)
    assert not outputs(notebook)
    assert not [cell for cell in notebook.cells if cell.get("execution_count") or cell.get("attachments")]
    for path in (source, paired):
        assert not MACHINE.findall(path.read_text(encoding="utf-8"))


@each
def test_the_opening_says_how_to_run_it_and_links_lead_somewhere(source: Path) -> None:
    notebook = jupytext.read(source)
    opening = notebook.cells[0]
    assert opening.cell_type == "markdown"
    assert opening.source.startswith(f"# {source.name[0]}. ")
    for words in ('pip install -e ".[compare,notebooks]"', "jupyter lab", "VS Code", "no GPU and no network"):
        assert words in opening.source.replace("\n", " ")
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", prose)
    assert all((FOLDER / link).is_file() for link in links)
