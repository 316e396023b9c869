"""`demix data download`: from a server to a prepared set, with bars on the way."""

import io
import zipfile

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from demix import cli_data
from demix.data import download as download_module
from demix.data.download import Source
from demix.data.events import Event
from demix.data.store import open_store


@pytest.fixture
def mini(server, song_excerpt, make_stem_mp4, tmp_path, monkeypatch):
    """Serve a data set of two songs in MUSDB18's form under the name musdb18."""
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in ("train/A - A", "test/B - B"):
            song = make_stem_mp4(tmp_path / "made.stem.mp4", song_excerpt[..., : 2 * 44_100])
            file.write(song, f"{name}.stem.mp4")
    server.files["/mini.zip"] = buffer.getvalue()
    source = Source("mini.zip", server.url("/mini.zip"), "not for [sale]", 2, 1.05, has_record=False)
    monkeypatch.setitem(download_module.SOURCES, "musdb18", source)


def run(*words):
    return CliRunner().invoke(cli_data.app, words, catch_exceptions=False)


def test_a_set_goes_from_the_server_to_a_table(mini, tmp_path):
    downloaded = run("download", "musdb18")
    assert "musdb18: not for [sale]" in downloaded.stderr
    assert "next: demix data prepare musdb18" in downloaded.stdout
    assert sorted(path.name for path in tmp_path.glob("data/raw/musdb18/*/*")) == [
        "A - A.stem.mp4",
        "B - B.stem.mp4",
    ]
    assert "2 songs prepared, 0 were there, 0 broken" in run("prepare", "musdb18", "--jobs", "1").stdout
    assert [track.split for track in open_store(tmp_path / "data/processed/musdb18")] == ["train", "test"]
    assert "musdb18" in run("info", "musdb18").stdout


def test_another_root_is_named_in_the_next_command(mini, tmp_path):
    assert "next: demix data prepare elsewhere/raw/musdb18" in run("download", "musdb18", "--root", "elsewhere").stdout
    assert (tmp_path / "elsewhere/raw/musdb18/train").is_dir()


def test_bars_show_what_is_done_and_how_long_it_takes(mini, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(cli_data, "_console", lambda: Console(file=screen, force_terminal=True, width=120))
    run("download", "musdb18")
    assert "downloading" in screen.getvalue()
    assert "unpacking" in screen.getvalue()
    assert "0:00:00" in screen.getvalue()


def test_a_bar_starts_where_the_part_ends(tmp_path):
    screen = io.StringIO()
    with Progress(console=Console(file=screen)) as progress:
        listen = cli_data._listener(progress)
        listen(Event("download", 40, 100))
        assert (progress.tasks[0].completed, progress.tasks[0].total) == (40, 100)
        listen(Event("retry", text="set.zip: [Errno 104]; trying again"))
        listen(Event("download", 70, 100))
        listen(Event("check", 100, 100))
        assert [task.completed for task in progress.tasks] == [70, 100]
    assert "set.zip: [Errno 104]; trying again" in screen.getvalue()
