"""`demix data`: what is typed reaches the functions, what they say reaches the reader."""

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from demix import cli_data
from demix.data.store import open_store
from demix.errors import DemixError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, in front of a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*words):
    """Run a command; a DemixError passes through, `demix.cli.main` is what turns it into a line."""
    result = CliRunner().invoke(cli_data.app, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(result):
    """Return the cells of a printed table, row by row, without its head."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]


@pytest.fixture
def songs(make_folder_song, tmp_path):
    """Write a folder with two songs of noise at -20 dBFS; the second has no drums."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, 2, 2 * 44_100))
    stems = dict(zip(("vocals", "drums", "bass", "other"), noise, strict=True))
    make_folder_song(tmp_path / "songs" / "first", **stems)
    make_folder_song(tmp_path / "songs" / "second", **{k: v for k, v in stems.items() if k != "drums"})
    return tmp_path / "songs"


def test_prepare_writes_a_store_once(songs, folder):
    assert "2 songs prepared, 0 were there, 0 broken" in run("prepare", "songs", "--jobs", "1").stdout
    assert [track.name for track in open_store(folder / "data/processed/songs")] == ["first", "second"]
    assert "0 songs prepared, 2 were there, 0 broken" in run("prepare", "songs", "--jobs", "1").stdout


def test_prepare_writes_where_it_is_told(songs, folder):
    run("prepare", "songs", "--out", "there", "--jobs", "1")
    assert len(open_store(folder / "there")) == 2
    assert not (folder / "data").exists()


def test_a_broken_song_is_named_and_the_rest_goes_on(songs, folder):
    (songs / "first" / "bass.wav").write_bytes(b"RIFF")
    result = run("prepare", "songs", "--jobs", "1")
    assert result.exit_code == 2
    assert "broken: first:" in result.stderr
    assert "bass.wav" in result.stderr
    assert "1 songs prepared, 0 were there, 1 broken" in result.stdout
    assert [track.name for track in open_store(folder / "data/processed/songs")] == ["second"]


def test_no_jobs_is_not_taken_for_the_default(songs):
    with pytest.raises(DemixError, match="at least 1 job, received 0"):
        run("prepare", "songs", "--jobs", "0")


def test_info_shows_songs_minutes_levels_and_silence(songs):
    run("prepare", "songs", "--jobs", "1")
    for words in ([], ["songs"], ["data/processed/songs"]):
        test, _ = rows(run("info", *words))
        assert test == ["test", "2", "0.1", "-20.0, 0%", "-23.0, 50%", "-20.0, 0%", "-20.0, 0%"]


def test_a_stem_that_never_sounds_is_called_silent(songs):
    (songs / "first" / "drums.wav").unlink()
    run("prepare", "songs", "--jobs", "1")
    assert [row[4] for row in rows(run("info", "songs"))] == ["silent", "silent"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info"], "run `demix data prepare free`"),
        (["info", "nothing"], "data/processed/nothing: expected a prepared data set"),
        (["prepare", "nothing"], "expected a data set"),
        (["prepare", "musdb18"], "run `demix data download musdb18`"),
        (["download", "nothing"], "expected one of the data sets"),
    ],
)
def test_bad_input_is_one_sentence(words, message, folder):
    with pytest.raises(DemixError, match=message):
        run(*words)
    assert list(folder.iterdir()) == []


def test_help_waits_for_nothing_heavy():
    code = "import sys, demix.cli_data; print({'torch', 'librosa', 'av', 'rich.progress'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
