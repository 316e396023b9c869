"""Paired differences: the right value, and intervals that hold what they promise."""

import numpy as np
import pytest
from scipy import stats

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.scores import SecondRow, score_track, summarise
from demix.evaluation.statistics import BLOCK_SECONDS, ENOUGH_SONGS, paired_differences
from demix.metrics import METRICS

RATE = 50
Rows = list[SecondRow]


def make_rows(system: str, song: str, errors: np.ndarray, references: np.ndarray | None = None) -> Rows:
    """Rows of one song from energies `(seconds,)`, the same for every stem, or `(stems, seconds)`."""
    errors = np.broadcast_to(errors, (len(STEMS), np.shape(errors)[-1]))
    references = np.ones_like(errors) if references is None else np.broadcast_to(references, errors.shape)
    counted = references.all(axis=0)
    return [
        SecondRow(system, song, stem, second, RATE, references[i, second], errors[i, second], counted[second])
        for i, stem in enumerate(STEMS)
        for second in range(errors.shape[1])
    ]


def from_db(values: np.ndarray | float) -> np.ndarray:
    """Error energies that give an SDR of so many dB beside a reference energy of 1."""
    return 10 ** (-np.asarray(values) / 10)


def make_songs(first_db: list[float], second_db: list[float], *, seconds: int = 1) -> Rows:
    """Rows of systems `a` and `b` with one SDR per song, the same in all its seconds."""
    return [
        row
        for system, scores in (("a", first_db), ("b", second_db))
        for song, score in enumerate(scores)
        for row in make_rows(system, f"song {song}", np.full(seconds, from_db(score)))
    ]


def make_drifting_song(rng: np.random.Generator, *, seconds: int, likeness: float, ahead_db: float) -> Rows:
    """One song whose errors wander: a second is like the one before it, and as hard for both systems."""

    def wander() -> np.ndarray:
        steps = rng.normal(size=seconds + 30) * np.sqrt(1 - likeness**2)
        for second in range(1, len(steps)):
            steps[second] += likeness * steps[second - 1]
        return steps[30:]

    hardness = 3 * wander()
    return [
        *make_rows("a", "song", from_db(ahead_db - hardness + 2 * wander())),
        *make_rows("b", "song", from_db(-hardness + 2 * wander())),
    ]


# ---- the value ----


@pytest.mark.parametrize("songs", [2, 6])
def test_differences_of_sdr_are_those_of_the_table(songs: int) -> None:
    rng = np.random.default_rng(0)
    scores, seconds = [], []
    for song in range(songs):
        references = rng.normal(size=(4, 2, 25 * RATE))
        references[song % 3] *= song > 1  # not every song has every stem
        for system, loudness in (("a", 0.5), ("b", 0.7)):
            estimates = references + loudness * rng.uniform(0.5, 1.5) * rng.normal(size=references.shape)
            rows = score_track(references, estimates, system=system, track=f"{song}", sample_rate=RATE)
            scores += rows[0]
            seconds += rows[1]
    table = summarise(scores, "sdr")
    differences = paired_differences(seconds, "a", "b", resamples=50)
    assert set(differences) == {*STEMS, "mean"}
    for stem, difference in differences.items():
        assert difference.difference_db == pytest.approx(table["a"][stem] - table["b"][stem], abs=1e-9)
        assert difference.low_db < difference.difference_db < difference.high_db


def test_bsseval_compares_medians_over_the_frames_that_count() -> None:
    a, b = np.array([1.0, 5.0, 6.0, 90.0]), np.array([2.0, 2.0, 3.0, 0.0])
    sounding = np.array([1.0, 1.0, 1.0, 0.0])
    rows = [
        *make_rows("a", "song", from_db(a), sounding),
        *make_rows("b", "song", from_db(b), sounding),
    ]
    difference = paired_differences(rows, "a", "b", metric="sdr_bsseval")["drums"]
    assert difference.difference_db == pytest.approx(5 - 2)


def test_exchanging_the_systems_mirrors_everything() -> None:
    rows = make_songs([1, 2, 3, 4, 5, 6], [0, 3, 2, 3, 3, 3])
    forth, back = paired_differences(rows, "a", "b")["mean"], paired_differences(rows, "b", "a")["mean"]
    assert forth.difference_db == pytest.approx(-back.difference_db)
    assert (forth.low_db, forth.high_db) == pytest.approx((-back.high_db, -back.low_db))
    assert (forth.songs, forth.wins, back.wins) == (6, 5, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_a_system_is_no_better_than_itself(metric: str) -> None:
    rows = make_songs([1, 2, 3], [0, 0, 0], seconds=25)
    difference = paired_differences(rows, "a", "a", metric=metric)["vocals"]
    assert (difference.difference_db, difference.low_db, difference.high_db, difference.wins) == (0, 0, 0, 0)


# ---- the unit ----


def test_songs_are_resampled_where_there_are_enough_and_blocks_otherwise() -> None:
    for songs, unit in ((ENOUGH_SONGS, "songs"), (ENOUGH_SONGS - 1, "blocks")):
        rows = make_songs(list(range(songs)), [0.0] * songs, seconds=2 * BLOCK_SECONDS)
        difference = paired_differences(rows, "a", "b")["mean"]
        units = songs if unit == "songs" else 2 * songs
        assert (difference.unit, difference.units, difference.songs) == (unit, units, songs)


def test_a_stem_that_few_songs_have_is_resampled_in_blocks() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for song in range(ENOUGH_SONGS):
        references = np.ones((4, 3 * BLOCK_SECONDS))
        references[2] = song < 2
        for system in "ab":
            errors = rng.uniform(0.1, 0.2, size=references.shape)
            rows += make_rows(system, f"song {song}", errors, references)
    differences = paired_differences(rows, "a", "b")
    assert (differences["bass"].unit, differences["bass"].songs, differences["bass"].units) == (
        "blocks",
        2,
        6,
    )
    assert {differences[stem].unit for stem in ("vocals", "drums", "other", "mean")} == {"songs"}


@pytest.mark.parametrize("songs", [1, 3])
def test_intervals_over_blocks_are_t_times_their_bootstraps_error(songs: int) -> None:
    """Blocks are drawn here once more, by hand; a lost or doubled second would change the result."""
    rng = np.random.default_rng(1)
    seconds, draws, rows, differences = 4 * BLOCK_SECONDS + 3, 20_000, [], []
    for song in range(songs):
        errors = rng.uniform(0.5, 1.5, size=seconds)
        errors[0] = 40
        rows += make_rows("a", f"song {song}", errors) + make_rows("b", f"song {song}", np.ones(seconds))
        blocks = np.array([(errors[part].sum(), len(part)) for part in np.array_split(np.arange(seconds), 4)])
        drawn = blocks[rng.integers(4, size=(draws, 4))].sum(axis=1)
        differences.append(-10 * np.log10(drawn[:, 0] / drawn[:, 1]))
    expected = stats.t.ppf(0.975, 3 * songs) * np.sqrt(4 / 3) * np.mean(differences, axis=0).std()
    difference = paired_differences(rows, "a", "b", resamples=draws)["drums"]
    assert difference.units == 4 * songs
    assert difference.high_db - difference.difference_db == pytest.approx(expected, rel=0.03)


def test_a_song_too_short_for_two_blocks_has_a_value_and_no_interval() -> None:
    rows = make_songs([3.0], [1.0], seconds=2 * BLOCK_SECONDS - 1)
    difference = paired_differences(rows, "a", "b")["vocals"]
    assert difference.difference_db == pytest.approx(2)
    assert np.isnan([difference.low_db, difference.high_db]).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_stem_silent_in_all_songs_has_no_difference(metric: str) -> None:
    references = np.ones((4, 30))
    references[2] = 0
    rows = make_rows("a", "song", np.full(30, 0.1), references)
    rows += make_rows("b", "song", np.full(30, 0.2), references)
    rows = [row._replace(counted=row.stem != "bass") for row in rows]
    differences = paired_differences(rows, "a", "b", metric=metric)
    assert np.isnan(differences["bass"].difference_db)
    assert np.isnan(differences["bass"].low_db)
    assert differences["bass"].songs == 0
    assert differences["mean"].difference_db == pytest.approx(10 * np.log10(2), abs=1e-6)


def test_exact_estimates_have_no_difference() -> None:
    rows = [row._replace(error_energy=0.0) for row in make_songs([1.0], [1.0], seconds=30)]
    assert np.isnan(paired_differences(rows, "a", "b", metric="sdr_bsseval")["mean"].difference_db)


# ---- the interval ----


def test_standard_error_is_that_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=12)
    difference = paired_differences(make_songs(list(scores), [0.0] * 12), "a", "b", resamples=20_000)["mean"]
    scipys = stats.bootstrap((scores,), np.mean, n_resamples=20_000, method="percentile").standard_error
    half = stats.t.ppf(0.975, 11) * np.sqrt(12 / 11) * scipys
    assert difference.high_db - difference.difference_db == pytest.approx(half, rel=0.03)
    assert difference.difference_db - difference.low_db == pytest.approx(half, rel=0.03)


def test_the_interval_is_paired() -> None:
    hardness = np.random.default_rng(0).normal(scale=10, size=8)
    ahead = np.random.default_rng(1).normal(loc=1, scale=0.1, size=8)
    difference = paired_differences(make_songs(list(hardness + ahead), list(hardness)), "a", "b")["mean"]
    assert 0.7 < difference.low_db < difference.high_db < 1.3
    assert difference.wins == 8


def test_the_seed_decides() -> None:
    rows = make_songs([1, 2, 4, 8, 9, 3], [0, 3, 2, 5, 3, 3])
    first, same, other = (paired_differences(rows, "a", "b", resamples=100, seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first["mean"].low_db != other["mean"].low_db


def test_95_percent_of_the_intervals_over_few_songs_hold_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        hard = rng.normal(scale=3, size=5)
        rows = make_songs(list(hard + rng.normal(loc=0.5, size=5)), list(hard))
        difference = paired_differences(rows, "a", "b", resamples=200)["mean"]
        hits += difference.low_db <= 0.5 <= difference.high_db
    assert 0.92 <= hits / 300 <= 0.98


def test_most_intervals_over_blocks_of_one_song_hold_the_true_difference() -> None:
    """Seconds are alike (correlation 0.5), which resampling single seconds would take for certainty."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        rows = make_drifting_song(rng, seconds=90, likeness=0.5, ahead_db=1.0)
        difference = paired_differences(rows, "a", "b", resamples=200)["drums"]
        hits += difference.low_db <= 1.0 <= difference.high_db
    assert 0.90 <= hits / 200 <= 0.98


# ---- bad input ----


def test_bad_input_is_named() -> None:
    rows = make_songs([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(DemixError, match="'sisdr'"):
        paired_differences(rows, "a", "b", metric="sisdr")
    with pytest.raises(DemixError, match=r"^c: .*without rows"):
        paired_differences(rows, "a", "c")
    rows = [row for row in rows if (row.system, row.track) != ("b", "song 1")]
    with pytest.raises(DemixError, match=r"^song 1: .*both a and b"):
        paired_differences(rows, "a", "b")
