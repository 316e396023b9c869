"""What the statistics promise, held against simulations whose truth is known: coverage, error rates, components."""

import numpy as np
import pytest
from scipy import stats

from demix.config import STEMS
from demix.evaluation.crossed import Parts, components, half_width, interval_of, parts_of
from demix.evaluation.scores import SecondRow
from demix.evaluation.statistics import paired_differences, signed_rank_p

# Standard deviations over songs, over seeds, and of the rest.
SPREADS = {
    "songs dominate": (1.0, 0.1, 0.3),
    "seeds dominate": (0.2, 1.0, 0.3),
    "the rest dominates": (0.3, 0.1, 1.0),
    "mixed": (1.0, 0.2, 0.5),
}
CELLS = 600_000  # of all tables together: many tables of few songs and seeds, where coverage is at its limits


def draw_tables(
    spreads: tuple[float, float, float], songs: int, seeds: int, *, tables: int | None = None, heavy: bool = False
) -> np.ndarray:
    """Tables of differences around 0, `(tables, songs, seeds)`; heavy: songs from Student's t with 5 degrees."""
    tables = CELLS // (songs * seeds) if tables is None else tables
    rng = np.random.default_rng(songs + 100 * seeds)
    drawn = (
        rng.standard_t(5, size=(tables, songs, 1)) / np.sqrt(5 / 3) if heavy else rng.normal(size=(tables, songs, 1))
    )
    by_song, by_seed, rest = spreads
    return (
        by_song * drawn + by_seed * rng.normal(size=(tables, 1, seeds)) + rest * rng.normal(size=(tables, songs, seeds))
    )


def parts_of_tables(tables: np.ndarray) -> Parts:
    """The mean squares of the tables, which the bootstrap of songs approaches with many draws."""
    _, songs, seeds = tables.shape
    by_song, by_seed = tables.mean(axis=2), tables.mean(axis=1)
    unit = by_song.var(axis=1, ddof=1) / songs
    if seeds == 1:
        return Parts(unit, 0.0, 0.0, songs - 1, 0)
    residual = tables - by_song[:, :, None] - by_seed[:, None, :] + tables.mean(axis=(1, 2), keepdims=True)
    rest = (residual**2).sum(axis=(1, 2)) / ((songs - 1) * (seeds - 1) * songs * seeds)
    return Parts(unit, by_seed.var(axis=1, ddof=1) / seeds, rest, songs - 1, seeds - 1)


def share_held(tables: np.ndarray) -> float:
    return float((np.abs(tables.mean(axis=(1, 2))) <= half_width(parts_of_tables(tables))).mean())


# ---- intervals ----


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS.keys())
def test_intervals_over_songs_and_seeds_hold_what_they_promise(
    spreads: tuple[float, float, float], seeds: int, heavy: bool
) -> None:
    for songs in (5, 10, 20, 50):
        assert 0.93 <= share_held(draw_tables(spreads, songs, seeds, heavy=heavy)) <= 0.97, songs


@pytest.mark.parametrize("heavy", [False, True])
def test_intervals_over_songs_alone_hold_what_they_promise(heavy: bool) -> None:
    """One training of each net: the truth is what these trainings do on all songs."""
    for songs in (5, 10, 20, 50):
        assert 0.94 <= share_held(draw_tables((1.0, 0.0, 0.5), songs, 1, heavy=heavy)) <= 0.97


def test_two_seeds_give_cautious_intervals() -> None:
    for spreads in SPREADS.values():
        assert 0.94 <= share_held(draw_tables(spreads, 20, 2)) <= 0.997


@pytest.mark.parametrize(("songs", "seeds"), [(5, 3), (20, 3), (50, 3), (20, 5), (20, 20)])
def test_no_mixture_of_songs_seeds_and_rest_breaks_the_interval(songs: int, seeds: int) -> None:
    """All shares of the mean's variance in steps of a tenth; the corner of few songs and seeds reaches 97.2 %."""
    rng = np.random.default_rng(0)
    shares = np.array([(song, seed, 10 - song - seed) for song in range(11) for seed in range(11 - song)]) / 10
    song, seed, rest = shares.T[:, :, None]
    freedoms = songs - 1, seeds - 1, (songs - 1) * (seeds - 1)
    chi = [rng.chisquare(freedom, size=8000) / freedom for freedom in freedoms]
    parts = Parts((song + rest) * chi[0], (seed + rest) * chi[1], rest * chi[2], songs - 1, seeds - 1)
    held = (np.abs(rng.normal(size=8000)) <= half_width(parts)).mean(axis=1)
    assert held.min() >= 0.93
    assert held.max() <= 0.975


def test_the_bootstrap_finds_the_mean_squares() -> None:
    table = draw_tables((1.0, 0.5, 0.5), 9, 4, tables=1)
    drawn = np.random.default_rng(0).integers(9, size=(40_000, 9))
    parts = parts_of(table[0][drawn].mean(axis=1), table[0].mean(axis=0), units=9, groups=1)
    expected = parts_of_tables(table)
    assert parts is not None
    assert (parts.unit_freedom, parts.seed_freedom) == (8, 3)
    for name in ("unit", "seed", "rest"):
        assert getattr(parts, name) == pytest.approx(getattr(expected, name)[0], rel=0.03)


@pytest.mark.parametrize(("units", "seeds"), [(2, 1), (24, 1), (5, 3), (24, 3), (8, 2)])
def test_the_interval_of_a_table_is_the_one_whose_coverage_is_tested(units: int, seeds: int) -> None:
    tables = 1 + draw_tables((1.0, 0.3, 0.5), units, seeds, tables=20)
    halves = half_width(parts_of_tables(tables))
    for table, half in zip(tables, halves, strict=True):
        found = interval_of(np.vstack([table, np.full((1, seeds), np.nan)]))  # an undefined unit is left out
        assert found.mean == pytest.approx(table.mean())
        assert (found.mean - found.low, found.high - found.mean) == pytest.approx((half, half))


def test_one_unit_has_a_mean_and_no_interval() -> None:
    found = interval_of(np.array([[1.0, 3.0], [np.nan, 2.0]]))
    assert found.mean == 2
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(interval_of(np.full((3, 2), np.nan)).mean)


def make_rows(run: str, song: str, sdr_db: np.ndarray) -> list[SecondRow]:
    return [
        SecondRow(run, song, stem, second, 50, 1.0, 10 ** (-value / 10), True)
        for stem in STEMS
        for second, value in enumerate(sdr_db)
    ]


def test_whole_comparisons_over_few_songs_and_seeds_hold_the_true_difference() -> None:
    """From rows to intervals, 5 songs and 3 seeds, where songs and seeds count alike."""
    tables, names = draw_tables((1.0, 0.7, 0.3), 5, 3, tables=200), range(3)
    held = 0
    for table in tables:
        rows = [
            row
            for song in range(5)
            for seed in names
            for row in make_rows(f"a{seed}", f"{song}", table[song, seed, None])
            + make_rows(f"b{seed}", f"{song}", np.zeros(1))
        ]
        first, second = ([f"{run}{seed}" for seed in names] for run in "ab")
        difference = paired_differences(rows, first, second, resamples=200)["drums"]
        held += difference.low_db <= 0 <= difference.high_db
    assert 0.92 <= held / 200 <= 0.99


def test_most_intervals_over_blocks_and_seeds_hold_the_true_difference() -> None:
    """One song of 90 s; trainings differ in the whole song and, differently, in every second (correlation 0.5)."""
    rng = np.random.default_rng(0)

    def wander(*shape: int) -> np.ndarray:
        steps = rng.normal(size=(*shape, 120)) * np.sqrt(0.75)
        for second in range(1, 120):
            steps[..., second] += 0.5 * steps[..., second - 1]
        return steps[..., 30:]

    held = 0
    for _ in range(100):
        ahead = 1 + 2 * wander() + wander(3) + 0.2 * rng.normal(size=(3, 1))
        rows = [
            row
            for seed in range(3)
            for row in make_rows(f"a{seed}", "song", ahead[seed] / 2) + make_rows(f"b{seed}", "song", -ahead[seed] / 2)
        ]
        difference = paired_differences(rows, ["a0", "a1", "a2"], ["b0", "b1", "b2"], resamples=200)["drums"]
        held += difference.low_db <= 1 <= difference.high_db
    assert 0.91 <= held / 100 <= 0.99


# ---- the test over songs ----


@pytest.mark.parametrize("songs", [6, 20])
def test_wilcoxon_finds_what_is_not_there_in_at_most_5_percent(songs: int) -> None:
    rng = np.random.default_rng(songs)
    found = sum(signed_rank_p(values) < 0.05 for values in rng.standard_t(5, size=(400, songs)))
    assert found / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_wilcoxon_knows_nothing_of_other_trainings() -> None:
    """Why the interval decides: a lucky training lifts all songs, and the test over songs calls it a difference."""
    tables = draw_tables(SPREADS["seeds dominate"], 30, 3, tables=100)
    assert np.mean([signed_rank_p(table.mean(axis=1)) < 0.05 for table in tables]) > 0.5


# ---- components ----


@pytest.mark.parametrize("spreads", [(1.0, 0.6, 0.5), (0.5, 1.0, 0.3)])
def test_components_are_right_on_average(spreads: tuple[float, float, float]) -> None:
    found = [components(table) for table in draw_tables(spreads, 20, 8, tables=1500)]
    for name, true in zip(("song_sd", "seed_sd", "rest_sd"), spreads, strict=True):
        variances = np.array([getattr(each, name) for each in found]) ** 2
        assert abs(variances.mean() - true**2) < 3 * stats.sem(variances)
