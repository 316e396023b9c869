"""SDR over bands and input levels: energies are kept, and the mixture and the oracle land where they must."""

import csv

import numpy as np
import pytest

from demix.config import SAMPLE_RATE, STEMS
from demix.data.track import Track
from demix.evaluation.baselines import BASELINES
from demix.evaluation.probes.bands import BAND_EDGES_HZ, BandRow, LevelRow, band_energies, score_bands
from demix.rows import write_rows

Tables = tuple[list[BandRow], list[LevelRow]]


@pytest.fixture(scope="module")
def song(song_excerpt: np.ndarray) -> Track:
    return Track("lithium", "test", lambda: (song_excerpt, None), ())


@pytest.fixture(scope="module")
def tables(song: Track) -> Tables:
    return score_bands({name: BASELINES[name] for name in ("mixture", "equal", "oracle")}, {"mixture": "floor"}, [song])


def test_cells_hold_the_energy_of_the_waveform(song_excerpt: np.ndarray) -> None:
    mixture = song_excerpt.sum(axis=0)
    estimates = BASELINES["oracle"](mixture, song_excerpt)
    cells = band_energies(song_excerpt, estimates, mixture=mixture)
    assert cells.reference.shape == (len(STEMS), 6, len(BAND_EDGES_HZ) - 1)
    for found, waveform in (
        (cells.reference, song_excerpt),
        (cells.error, song_excerpt - estimates),
        (cells.rest, mixture - song_excerpt),
    ):
        expected = np.square(waveform, dtype=np.float64).sum(axis=(1, 2))
        np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, rtol=1e-4)


def test_tones_land_in_their_bands_and_bursts_in_their_seconds() -> None:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * hertz * time) for hertz in (90, 700, 3000, 15_000)]
    stems = np.stack([[tone, tone] for tone in tones]).astype(np.float32)
    stems[0, :, : 2 * SAMPLE_RATE] = 0
    cells = band_energies(stems, np.zeros_like(stems), mixture=stems.sum(axis=0))
    shares = cells.reference.sum(axis=1) / cells.reference.sum(axis=(1, 2))[:, None]
    np.testing.assert_array_equal(shares.argmax(axis=1), [0, 3, 5, 7])
    assert shares.max(axis=1).min() > 0.99
    of_seconds = cells.reference[0].sum(axis=1) / cells.reference[0].sum()
    assert of_seconds[:2].sum() < 0.01
    assert of_seconds[2] == pytest.approx(0.5, abs=0.02)


def test_the_mixture_puts_out_the_snr_that_it_is_given(tables: Tables) -> None:
    rows = [row for row in tables[1] if row.system == "mixture"]
    assert len({row.input_low_db for row in rows}) > 6
    for row in rows:
        assert row.error_energy == pytest.approx(row.rest_energy, rel=1e-4)
        output_db = 10 * np.log10(row.reference_energy / row.error_energy)
        assert row.input_low_db - 0.01 <= output_db <= row.input_high_db + 0.01
        assert row.group == "floor"


def test_the_oracle_is_best_in_every_band_and_at_every_level(tables: Tables) -> None:
    bands, levels = tables
    errors = {(row.system, row.stem, row.low_hz): row.error_energy for row in bands}
    cells = {(row.system, row.stem, row.low_hz, row.high_hz, row.input_low_db): row.error_energy for row in levels}
    for table in (errors, cells):
        oracle = {key: value for key, value in table.items() if key[0] == "oracle"}
        assert len(oracle) > 30
        for (_, *where), error in oracle.items():
            assert error <= 1.01 * min(table["mixture", *where], table["equal", *where])


def test_all_bands_together_are_the_sum_of_the_bands(tables: Tables) -> None:
    bands, levels = tables
    whole = (0.0, SAMPLE_RATE / 2)
    for stem in STEMS:
        mine = [row for row in levels if (row.system, row.stem) == ("oracle", stem)]
        for low in {row.input_low_db for row in mine}:
            at_level = [row for row in mine if row.input_low_db == low]
            (total,) = [row for row in at_level if (row.low_hz, row.high_hz) == whole]
            parts = [row for row in at_level if (row.low_hz, row.high_hz) != whole]
            assert total.cells == sum(row.cells for row in parts)
            assert total.error_energy == pytest.approx(sum(row.error_energy for row in parts))
        of_levels = sum(row.reference_energy for row in mine if (row.low_hz, row.high_hz) == whole)
        of_bands = sum(row.reference_energy for row in bands if (row.system, row.stem) == ("oracle", stem))
        assert of_levels == pytest.approx(of_bands, rel=1e-4)  # silent cells are left out


def test_a_silent_stem_has_no_rows(song_excerpt: np.ndarray) -> None:
    stems = song_excerpt.copy()
    stems[2] = 0
    bands, levels = score_bands({"mixture": BASELINES["mixture"]}, {}, [Track("a", "test", lambda: (stems, None), ())])
    assert {row.stem for row in bands} == {row.stem for row in levels} == {"vocals", "drums", "other"}


def test_tables_are_written_as_agreed(tables: Tables, tmp_path) -> None:
    write_rows(tmp_path / "levels.csv", LevelRow._fields, tables[1])
    write_rows(tmp_path / "bands.csv", BandRow._fields, [tables[0][0]._replace(error_energy=float("nan"))])
    header, first, *_ = list(csv.reader((tmp_path / "levels.csv").read_text().splitlines()))
    assert ",".join(header) == (
        "system,group,track,stem,low_hz,high_hz,input_low_db,input_high_db,cells,reference_energy,error_energy,rest_energy"
    )
    assert first[:7] == ["mixture", "floor", "lithium", "vocals", "0", "22050", "-inf"]
    header, first = list(csv.reader((tmp_path / "bands.csv").read_text().splitlines()))
    assert ",".join(header) == "system,group,track,stem,low_hz,high_hz,reference_energy,error_energy"
    assert first[-1] == ""
