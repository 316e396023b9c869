"""What styles name exists, and the letters of patterns and chords are read as they are meant."""

import numpy as np
import pytest

from demix.generate.bass_lines import LINES
from demix.generate.chords import RHYTHMS
from demix.generate.compose import write_song
from demix.generate.events import read_steps
from demix.generate.form import FORMS
from demix.generate.grooves import GROOVES
from demix.generate.harmony import SCALES, read_chord
from demix.generate.layers import LAYERS, LEADS
from demix.generate.progressions import FAMILIES
from demix.generate.styles import STYLES, WEIGHTS


def test_every_style_appears() -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for seed in rng.integers(1000, 10**6, 300):
        if seen == set(STYLES):
            break
        seen.add(write_song(int(seed)).style)
    assert seen == set(STYLES)
    assert len(STYLES) >= 12


def test_tables_name_what_there_is() -> None:
    for name, style in STYLES.items():
        assert set(style.families) <= set(FAMILIES), name
        assert set(style.grooves) <= set(GROOVES), name
        assert set(style.bass) <= {*LINES, "kick"}, name
        assert set(style.layers) <= set(LAYERS), name
        assert len(set(style.layers)) == len(style.layers), name
        assert set(style.forms) <= set(FORMS), name
        assert style.lead in LEADS, name
    assert set(WEIGHTS) <= set(STYLES)
    for family in FAMILIES.values():
        assert family.scale in SCALES
        for loop in (*family.verses, *family.choruses, *family.bridges):
            assert [read_chord(numeral, 0) for bar in loop.split() for numeral in bar.split(",")]
    for layer in LAYERS.values():
        assert set(layer.rhythms) <= {*RHYTHMS, "riff"}
    for pattern in [line for lines in (*LINES.values(), *RHYTHMS.values()) for line in lines]:
        assert all(len(bar) in (4, 8, 12, 16, 32) for bar in pattern.split("|")), pattern


def test_steps_are_read_with_holds_rests_and_turns() -> None:
    assert read_steps("R--.|..5-", 0, 4) == ((0.0, 3.0, "R"),)
    assert read_steps("R--.|..5-", 3, 4) == ((2.0, 2.0, "5"),)
    assert read_steps("R.R.R.R.", 0, 3) == ((0.0, 0.5, "R"), (1.0, 0.5, "R"), (2.0, 0.5, "R"))


def test_chords_are_read() -> None:
    assert read_chord("V7", 0) == (7, (0, 4, 7, 10))
    assert read_chord("bVII", 2) == (0, (0, 4, 7))
    assert read_chord("iim7b5", 9) == (11, (0, 3, 6, 10))
    with pytest.raises(KeyError):
        read_chord("H7", 0)
