"""Drum loops under generated songs: their tempo known, laid on the beat, cut off without a click."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.generate.compose import write_song
from demix.generate.drum_loops import count_beats, find_loops, lay_loop
from demix.generate.make import shorten
from demix.generate.score import Section, Song


@pytest.mark.parametrize(
    ("name", "seconds", "beats"),
    [("funk_96bpm", 10.0, 16), ("beat 120", 4.0, 8), ("loop_amen", 1.753, 4), ("x", 8.0, 16)],
)
def test_a_loop_has_the_beats_that_its_name_or_length_tells(name: str, seconds: float, beats: int) -> None:
    assert count_beats(name, seconds) == beats


def test_a_loop_is_laid_in_time(tmp_path: Path) -> None:
    clicks = np.zeros((2 * SAMPLE_RATE, 2), np.float32)
    clicks[:: SAMPLE_RATE // 2] = 0.9  # 120 beats a minute
    soundfile.write(tmp_path / "clicks 120.wav", clicks, SAMPLE_RATE)
    loops = [loop for loop in find_loops([tmp_path]) if loop.path.parent == tmp_path]
    song = next(song for seed in range(300) if 100 < (song := write_song(seed)).bpm < 140 and song.beats == 4)
    song = shorten(song, song.sections[0].length + song.sections[1].length)
    song = replace(song, sections=tuple(replace(section, energy=1.0) for section in song.sections))
    laid = lay_loop(song, loops, np.random.default_rng(0), samples=round(song.seconds * SAMPLE_RATE))
    assert laid is not None
    wave, bar = laid[0][0], song.beats * 60 / song.bpm
    assert not wave[: round(song.sections[1].start % bar * SAMPLE_RATE) - 4].any()  # nothing before the first beat
    heard = 0
    for section in song.sections:
        first = section.start or song.sections[1].start % bar
        beats = [first + beat * 60 / song.bpm for beat in range(int(section.length * song.bpm / 60) - 1)]
        loudest = [np.abs(wave[round(at * SAMPLE_RATE) - 4 : round(at * SAMPLE_RATE) + 5]).max() for at in beats]
        assert min(loudest) > 0.3 or max(loudest) == 0, section  # it plays through a section or not at all
        heard += min(loudest) > 0.3
    assert heard == 2


def test_a_loop_that_a_section_cuts_off_fades_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hum 120.wav", np.full((2 * SAMPLE_RATE, 2), 0.5, np.float32), SAMPLE_RATE)
    song = Song(0, "rock", 130.0, 4, 0, (0, 2, 4, 5, 7, 9, 11), (Section("verse", 0.0, 5.0, 1.0),), (), 7.0)
    laid = lay_loop(song, find_loops([tmp_path])[-1:], np.random.default_rng(0), samples=7 * SAMPLE_RATE)
    assert laid is not None
    assert np.abs(np.diff(laid[0][:, 4 * SAMPLE_RATE :])).max() < 0.02
    assert not laid[0][:, 5 * SAMPLE_RATE :].any()


def test_a_broken_loop_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"expected a folder with drum loops .*; check the path"):
        find_loops([tmp_path])
    (tmp_path / "break.wav").write_bytes(b"no sound")
    with pytest.raises(DemixError, match=r"break\.wav: expected a drum loop, received .*; remove the file"):
        find_loops([tmp_path])


def test_recordings_that_are_no_loops_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "drums.wav", np.zeros(41 * 8000), 8000)
    with pytest.raises(
        DemixError, match=r"expected drum loops of 0\.5 to 40 s, received 41\.0 to 41\.0 s; cut them or choose"
    ):
        find_loops([tmp_path])
    (tmp_path / "drums.wav").unlink()
    soundfile.write(tmp_path / "hit.wav", np.zeros(800), 8000)
    with pytest.raises(DemixError, match=r"expected drum loops of 0\.5 to 40 s, received 0\.1 to 0\.1 s; cut them or"):
        find_loops([tmp_path])
    soundfile.write(tmp_path / "bar 120.wav", np.zeros(2 * 8000), 8000)
    assert find_loops([tmp_path])[-1].path.name == "bar 120.wav"
