"""Real material: SiSEC 2018's scores on MUSDB18's 50 test songs, and what was made of them."""

import csv
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.published import Spread, read_pairs, read_spread, typical_song_sd
from demix.evaluation.scores import SecondRow
from demix.evaluation.statistics import Difference, paired_differences

ROOT = Path(__file__).parents[1]
TRACKS = ROOT / "tests" / "vectors" / "sisec18_tracks.csv"


@pytest.fixture(scope="module")
def rows() -> list[SecondRow]:
    """Rows whose scores are the campaign's: one second per song, with the energies that give its SDR."""
    with TRACKS.open(encoding="utf-8", newline="") as file:
        return [
            SecondRow(line["submission"], line["track"], line["target"], 0, 44_100, 1.0, 10 ** (-sdr / 10), True)
            for line in csv.DictReader(file)
            for sdr in [float(line["SDR_median"])]
        ]


def compare(rows: list[SecondRow], first: str, second: str) -> dict[str, Difference]:
    return paired_differences(rows, first, second, metric="sdr_bsseval")


def find(rows: list[Spread], submission: str, stem: str, against: str = "") -> Spread:
    return next(row for row in rows if (row.submission, row.against, row.stem) == (submission, against, stem))


def test_two_versions_of_one_system_differ_surely_though_little(rows: list[SecondRow]) -> None:
    vocals = compare(rows, "JY3", "JY1")["vocals"]
    assert (vocals.songs, vocals.wins, vocals.unit) == (50, 40, "songs")
    assert vocals.difference_db == pytest.approx(0.357, abs=5e-4)
    assert vocals.song_sd / np.sqrt(50) == pytest.approx(0.089, abs=5e-4)
    assert (vocals.high_db - vocals.low_db) / 2 == pytest.approx(2.01 * 0.089, rel=0.05)
    assert vocals.p_value < 1e-4


def test_one_wild_song_hides_in_the_mean_what_wins_and_ranks_show(rows: list[SecondRow]) -> None:
    vocals = compare(rows, "TAK1", "UHL2")["vocals"]
    assert vocals.wins == 39
    assert vocals.difference_db == pytest.approx(0.076, abs=5e-4)
    assert vocals.song_sd / np.sqrt(50) == pytest.approx(0.368, abs=5e-4)
    assert vocals.low_db < 0 < vocals.high_db
    assert vocals.p_value < 0.01


def test_the_interval_leaves_out_zero_where_systems_are_far_apart(rows: list[SecondRow]) -> None:
    for stem, difference in compare(rows, "TAK1", "WK").items():
        assert difference.detectable_db < difference.difference_db or stem == "vocals"
        assert difference.low_db > 0
        assert difference.p_value < 1e-6


def test_the_table_on_board_is_what_the_script_makes_of_the_songs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sisec18_spread.py", str(TRACKS), str(tmp_path / "made.csv")])
    runpy.run_path(str(ROOT / "benchmarks" / "sisec18_spread.py"), run_name="__main__")
    on_board = ROOT / "src" / "demix" / "evaluation" / "sisec18.csv"
    assert (tmp_path / "made.csv").read_text(encoding="utf-8") == on_board.read_text(encoding="utf-8")


def test_medians_are_the_published_ones() -> None:
    """As in the campaign's paper and in the tables that quote it, to the second digit."""
    published = {
        "IRM2": (9.43, 8.45, 7.12, 7.85),
        "TAK1": (6.60, 6.43, 5.16, 4.15),
        "STL2": (3.25, 4.22, 3.21, 2.25),
        "MIX": (1.12, 1.33, 0.67, 1.16),
    }
    own = read_spread()
    for name, medians in published.items():
        found = [find(own, name, stem).median_db for stem in STEMS]
        assert found == pytest.approx(medians, abs=0.0051)
    assert all(row.songs == 50 and row.low_db <= row.median_db <= row.high_db for row in own)
    assert {row.submission for row in own if row.kind == "oracle"} == {"IBM1", "IBM2", "IRM1", "IRM2", "MWF"}
    assert {row.stem for row in own if row.submission == "REP1"} == {"vocals"}


def test_pairs_are_comparable_and_their_spread_is_what_the_statistics_find(rows: list[SecondRow]) -> None:
    pairs = read_pairs()
    names = {row.submission for row in pairs} | {row.against for row in pairs}
    assert not names & {"MIX", "IRM2", "HEL1", "REP1", "STL1"}
    for stem, difference in compare(rows, "JY1", "JY3").items():
        row = find(pairs, "JY1", stem, "JY3")
        assert (row.songs, row.wins) == (difference.songs, difference.wins)
        assert (row.mean_db, row.sd_db) == pytest.approx((difference.difference_db, difference.song_sd), abs=6e-4)


def test_the_typical_spread_has_tails() -> None:
    for stem in (*STEMS, "mean"):
        assert 0.4 < typical_song_sd(stem, robust=True) < typical_song_sd(stem) < 3
    assert typical_song_sd() == typical_song_sd("mean") < typical_song_sd("vocals")
    with pytest.raises(DemixError, match="'piano'"):
        typical_song_sd("piano")
