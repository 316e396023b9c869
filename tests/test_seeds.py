"""Paired differences over several training seeds: what they are, and what they refuse."""

import numpy as np
import pytest
from scipy import stats

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.crossed import components
from demix.evaluation.scores import SecondRow
from demix.evaluation.statistics import BLOCK_SECONDS, Difference, paired_differences

Rows = list[SecondRow]


def make_rows(run: str, song: str, sdr_db: np.ndarray) -> Rows:
    """Rows of one song with the same SDR in every stem, one per second: `(seconds,)`."""
    errors = 10 ** (-np.asarray(sdr_db) / 10)
    return [
        SecondRow(run, song, stem, second, 50, 1.0, error, True)
        for stem in STEMS
        for second, error in enumerate(errors)
    ]


def make_runs(ahead_db: np.ndarray) -> Rows:
    """Rows of runs `a0, a1, ...` and `b0, b1, ...`; `ahead_db` is `(songs, seeds)` or `(songs, seeds, seconds)`."""
    ahead_db = ahead_db if ahead_db.ndim == 3 else ahead_db[..., None]
    hardness = np.random.default_rng(99).normal(scale=4, size=ahead_db.shape)
    return [
        row
        for song, seed in np.ndindex(ahead_db.shape[:2])
        for run, sdr in (("a", hardness[song, seed] + ahead_db[song, seed]), ("b", hardness[song, seed]))
        for row in make_rows(f"{run}{seed}", f"song {song}", sdr)
    ]


def compare(ahead_db: np.ndarray, *, resamples: int = 2000, seeds: list[int] | None = None) -> Difference:
    numbers = range(ahead_db.shape[1]) if seeds is None else seeds
    first, second = ([f"{run}{seed}" for seed in numbers] for run in "ab")
    return paired_differences(make_runs(ahead_db), first, second, resamples=resamples)["mean"]


def draw_table(songs: int, seeds: int, *, song: float = 1.0, seed: float = 0.5, rest: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(7)
    by_song, by_seed = song * rng.normal(size=(songs, 1)), seed * rng.normal(size=seeds)
    return 1 + by_song + by_seed + rest * rng.normal(size=(songs, seeds))


def test_the_estimate_is_the_mean_over_songs_and_seeds_and_wins_count_songs() -> None:
    table = np.array([[1.0, 3.0], [-2.0, 1.0], [0.5, -0.1], [2.0, 2.0], [4.0, -5.0]])
    difference = compare(table)
    assert difference.difference_db == pytest.approx(table.mean())
    assert (difference.seeds, difference.songs, difference.units, difference.unit) == (2, 5, 5, "songs")
    assert difference.wins == 3  # under the first seed alone: 4


def test_one_name_and_a_list_of_one_are_the_same() -> None:
    rows = make_runs(draw_table(6, 1))
    assert paired_differences(rows, "a0", "b0") == paired_differences(rows, ["a0"], ["b0"])


@pytest.mark.parametrize("songs", [3, 8])
def test_a_seed_repeated_exactly_adds_nothing(songs: int) -> None:
    """Over songs and over blocks: blocks drawn anew for each seed would pretend to more music."""
    rng = np.random.default_rng(3)
    once = rng.normal(size=(songs, 1, 4 * BLOCK_SECONDS))
    rows = make_runs(once)
    rows = rows + [row._replace(system=f"{row.system[0]}{seed}") for row in rows for seed in (1, 2)]
    one = paired_differences(rows, "a0", "b0")["mean"]
    three = paired_differences(rows, ["a0", "a1", "a2"], ["b0", "b1", "b2"])["mean"]
    assert one.unit == ("songs" if songs > 4 else "blocks")
    assert (three.low_db, three.high_db) == pytest.approx((one.low_db, one.high_db))
    assert (three.seed_sd, three.rest_sd) == pytest.approx((0, 0), abs=1e-9)


@pytest.mark.parametrize("songs", [2, 12])
def test_seeds_that_disagree_widen_the_interval(songs: int) -> None:
    seconds = np.random.default_rng(1).normal(size=(songs, 1, 3 * BLOCK_SECONDS))
    apart = np.array([-1.0, 0.0, 1.0])[:, None]
    agree, disagree = compare(seconds + 0 * apart), compare(seconds + apart)
    half = stats.t.ppf(0.975, 2) * disagree.seed_sd / np.sqrt(3)  # of the seeds alone; songs add freedom
    assert disagree.high_db - disagree.difference_db > 0.9 * half > 2 * (agree.high_db - agree.difference_db)
    assert disagree.detectable_db > 2 * agree.detectable_db


def test_components_are_those_of_the_two_way_analysis_of_variance() -> None:
    table = draw_table(6, 4)
    squares = table - table.mean()
    of_songs, of_seeds = squares.mean(axis=1), squares.mean(axis=0)
    by_song, by_seed = 4 * (of_songs**2).sum() / 5, 6 * (of_seeds**2).sum() / 3
    rest = ((squares**2).sum() - 4 * (of_songs**2).sum() - 6 * (of_seeds**2).sum()) / 15
    difference = compare(table)
    assert difference.rest_sd == pytest.approx(np.sqrt(rest))
    assert difference.song_sd == pytest.approx(np.sqrt((by_song - rest) / 4))
    assert difference.seed_sd == pytest.approx(np.sqrt((by_seed - rest) / 6))


def test_what_cannot_be_estimated_is_nan() -> None:
    table = draw_table(6, 3)
    one_seed, one_song = components(table[:, :1]), components(table[:1])
    assert one_seed.song_sd == pytest.approx(table[:, 0].std(ddof=1))
    assert one_song.seed_sd == pytest.approx(table[0].std(ddof=1))
    assert np.isnan([one_seed.seed_sd, one_seed.rest_sd, one_song.song_sd, one_song.rest_sd]).all()
    assert np.isnan(compare(table[:5]).p_value)  # five songs can never give p < 0.05
    assert np.isnan(compare(table[:1]).effect_size)


def test_wilcoxon_and_effect_size_are_over_the_songs_means() -> None:
    table = draw_table(9, 3)
    means = table.mean(axis=1)
    difference = compare(table)
    assert difference.p_value == pytest.approx(stats.wilcoxon(means).pvalue)
    assert difference.effect_size == pytest.approx(means.mean() / means.std(ddof=1))
    assert compare(np.zeros((8, 2))).p_value == 1


def test_the_order_of_seeds_does_not_matter_but_their_pairing_does() -> None:
    table = draw_table(7, 3)
    rows, forth = make_runs(table), compare(table)
    back = paired_differences(rows, ["a2", "a1", "a0"], ["b2", "b1", "b0"])["mean"]
    crossed = paired_differences(rows, ["a0", "a1", "a2"], ["b1", "b2", "b0"])["mean"]
    assert (back.difference_db, back.low_db, back.seed_sd) == pytest.approx(
        (forth.difference_db, forth.low_db, forth.seed_sd)
    )
    assert crossed.difference_db == pytest.approx(forth.difference_db)
    assert crossed.rest_sd > 2 * forth.rest_sd


def test_a_song_without_a_score_under_one_seed_is_left_out_under_all() -> None:
    table = draw_table(7, 2)
    rows = [
        row._replace(counted=(row.system, row.track, row.stem) != ("a1", "song 0", "bass")) for row in make_runs(table)
    ]
    result = paired_differences(rows, ["a0", "a1"], ["b0", "b1"], metric="sdr_bsseval")
    assert (result["bass"].songs, result["drums"].songs) == (6, 7)
    assert result["bass"].difference_db == pytest.approx(table[1:].mean())
    assert result["drums"].difference_db == pytest.approx(table.mean())


def test_bad_seeds_are_named() -> None:
    rows = make_runs(draw_table(3, 2))
    with pytest.raises(DemixError, match="received 2 and 1"):
        paired_differences(rows, ["a0", "a1"], ["b0"])
    with pytest.raises(DemixError, match="received 0 and 0"):
        paired_differences(rows, [], [])
    with pytest.raises(DemixError, match=r"^a0: .*twice"):
        paired_differences(rows, ["a0", "a0"], ["b0", "b1"])
    rows = [row for row in rows if (row.system, row.track) != ("b1", "song 2")]
    with pytest.raises(DemixError, match=r"^song 2: .*both a0 and b1"):
        paired_differences(rows, ["a0", "a1"], ["b0", "b1"])
