"""What a comparison can find, held against simulations and against the noncentral t distribution."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from demix.errors import DemixError
from demix.evaluation.crossed import Parts, half_width
from demix.evaluation.power import ENOUGH_SONGS, minimum_detectable, songs_needed

PLANS = [
    ({"song_sd": 1.0, "seed_sd": 0.1, "rest_sd": 0.3}, 20, 3),
    ({"song_sd": 0.3, "seed_sd": 0.5, "rest_sd": 0.3}, 10, 3),
    ({"song_sd": 0.2, "seed_sd": 0.0, "rest_sd": 1.0}, 8, 5),
    ({"song_sd": 1.0, "seed_sd": 0.3, "rest_sd": 0.5}, 50, 5),
]


@pytest.mark.parametrize(("spreads", "songs", "seeds"), PLANS)
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_the_detectable_difference_is_found_as_often_as_promised(
    spreads: dict[str, float], songs: int, seeds: int, power: float
) -> None:
    rng = np.random.default_rng(0)
    least = minimum_detectable(**spreads, songs=songs, seeds=seeds, power=power)
    shapes = {"song_sd": (songs, 1), "seed_sd": (1, seeds), "rest_sd": (songs, seeds)}
    table = least + sum(spreads[name] * rng.normal(size=(4000, *shape)) for name, shape in shapes.items())
    by_song, by_seed = table.mean(axis=2), table.mean(axis=1)
    centre = table.mean(axis=(1, 2))
    residual = table - by_song[:, :, None] - by_seed[:, None, :] + centre[:, None, None]
    rest = (residual**2).sum(axis=(1, 2)) / ((songs - 1) * (seeds - 1) * songs * seeds)
    unit, seed = by_song.var(axis=1, ddof=1) / songs, by_seed.var(axis=1, ddof=1) / seeds
    found = centre - half_width(Parts(unit, seed, rest, songs - 1, seeds - 1)) > 0
    assert found.mean() == pytest.approx(power, abs=0.02)


@pytest.mark.parametrize("songs", [5, 12, 50])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_with_one_seed_it_is_the_noncentral_t(songs: int, confidence: float) -> None:
    freedom = songs - 1
    limit = stats.t.ppf((1 + confidence) / 2, freedom)
    shift = brentq(lambda delta: stats.nct.sf(limit, freedom, delta) - 0.8, 0, 50)
    least = minimum_detectable(song_sd=2.0, seed_sd=0, rest_sd=0, songs=songs, seeds=1, confidence=confidence)
    assert least == pytest.approx(2 * shift / np.sqrt(songs), rel=2e-3)


def test_more_songs_more_seeds_and_less_spread_find_less() -> None:
    plan = {"song_sd": 1.0, "seed_sd": 0.2, "rest_sd": 0.4, "songs": 20, "seeds": 3}
    least = minimum_detectable(**plan)
    for better in ({"songs": 40}, {"seeds": 5}, {"song_sd": 0.5}, {"seed_sd": 0.0}, {"rest_sd": 0.1}):
        assert minimum_detectable(**{**plan, **better}) < least
    for harder in ({"power": 0.9}, {"confidence": 0.99}):
        assert minimum_detectable(**plan, **harder) > least
    assert minimum_detectable(song_sd=0, seed_sd=0, rest_sd=0, songs=5, seeds=3) == 0
    many = [minimum_detectable(**{**plan, "songs": songs}) for songs in range(5, 60)]
    assert (np.diff(many) < 0).all()


@pytest.mark.parametrize(("spreads", "seeds"), [(spreads, seeds) for spreads, _, seeds in PLANS])
def test_songs_needed_is_the_least_number_that_finds_it(spreads: dict[str, float], seeds: int) -> None:
    floor = minimum_detectable(**spreads, songs=1_000_000, seeds=seeds)
    before = math.inf
    for difference in (floor + 0.1, floor + 0.2, floor + 0.5, floor + 2):
        songs = songs_needed(-difference, **spreads, seeds=seeds)
        assert songs is not None
        assert minimum_detectable(**spreads, songs=songs, seeds=seeds) <= difference
        if songs > ENOUGH_SONGS:
            assert minimum_detectable(**spreads, songs=songs - 1, seeds=seeds) > difference
        assert ENOUGH_SONGS <= songs <= before
        before = songs
    assert songs_needed(0.9 * floor, **spreads, seeds=seeds) is None or floor < 0.01


def test_no_number_of_songs_replaces_seeds() -> None:
    assert songs_needed(0.3, song_sd=1, seed_sd=0.3, rest_sd=0.3, seeds=3) is None
    assert songs_needed(0.3, song_sd=1, seed_sd=0.1, rest_sd=0.3, seeds=5) is not None
    assert songs_needed(0.0, song_sd=1, seed_sd=0.1, rest_sd=0.3, seeds=5) is None
    assert minimum_detectable(song_sd=1, seed_sd=0.1, rest_sd=0.3, songs=50, seeds=1) == math.inf
    assert songs_needed(5.0, song_sd=1, seed_sd=0.1, rest_sd=0.3, seeds=1) is None


def test_bad_plans_are_named() -> None:
    plan = {"song_sd": 1.0, "seed_sd": 0.1, "rest_sd": 0.1, "seeds": 3}
    with pytest.raises(DemixError, match=r"^seed_sd: .*nan"):
        minimum_detectable(**{**plan, "seed_sd": math.nan}, songs=5)
    with pytest.raises(DemixError, match=r"^song_sd: .*-1"):
        songs_needed(1.0, **{**plan, "song_sd": -1.0})
    with pytest.raises(DemixError, match=r"^songs: .*received 1"):
        minimum_detectable(**plan, songs=1)
    with pytest.raises(DemixError, match=r"^seeds: .*received 0"):
        songs_needed(1.0, **{**plan, "seeds": 0})
    with pytest.raises(DemixError, match=r"^difference_db: .*NaN"):
        songs_needed(math.nan, **plan)
