"""`demix data loops`: songs that evaluation reads, and a page on which one sees and hears what differs."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from demix import cli_data
from demix.data import open_dataset
from demix.data.loop_patterns import CONDITIONS
from demix.errors import DemixError
from demix.report.loops_page import draw_pattern, write_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One base of four seconds, made by the command."""
    out = tmp_path_factory.mktemp("songs") / "loops"
    result = CliRunner().invoke(cli_data.app, ["loops", str(out), "--bases", "1", "--seconds", "4"])
    if result.exception:
        raise result.exception
    assert f"{out}: 3 songs; listen: {out / 'index.html'}" in result.stdout.replace("\n", "")
    return out


def test_the_folder_is_a_data_set_of_test_songs(folder: Path) -> None:
    songs = open_dataset(folder)
    assert {(song.name, song.split) for song in songs} == {
        (f"0-lithium-{condition}", "test") for condition in CONDITIONS
    }


def test_the_page_has_a_picture_and_two_sounds_for_every_condition(folder: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('<svg class="pattern"') == len(CONDITIONS)
    for text in ("Exact: one loop all through; 4 times", "Never: each time another order; 4 different loops"):
        assert f'aria-label="{text}"' in page
    links = re.findall(r'<a class="sound" href="([^"]+)"', page)
    assert len(links) == len(set(links)) == 2 * len(CONDITIONS)
    sounds = {link: soundfile.read(folder / link, always_2d=True)[0].T for link in links}
    for condition in CONDITIONS:
        drums, mixture = (sounds[f"listen/0-lithium-{condition}-{sound}.mp3"] for sound in ("drums", "mixture"))
        assert drums.shape == mixture.shape == (2, 4 * 44_100)
        song = next(song for song in open_dataset(folder) if song.name.endswith(condition))
        assert np.corrcoef(song.stem("drums")[0], drums[0])[0, 1] > 0.95
        assert np.corrcoef(song.mixture()[0], mixture[0])[0, 1] > 0.95
    assert "://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere


def test_a_picture_has_a_bar_for_every_hit_and_none_for_a_rest() -> None:
    picture = draw_pattern([[0, 1, -1], [2, -1, 3]], text="a < b")
    assert re.findall(r'class="hit-(\d)" x="(\d+)"', picture) == [("0", "1"), ("1", "29"), ("2", "1"), ("3", "57")]
    assert 'viewBox="0 0 84 24"' in picture
    assert 'aria-label="a &lt; b"' in picture


def test_another_folder_is_no_folder_of_loop_songs(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="expected a folder of loop songs"):
        write_page(tmp_path)
