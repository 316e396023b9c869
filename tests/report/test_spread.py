"""Numbers with intervals: they hold what they say."""

import numpy as np
import pytest

from demix.report.spread import jackknifed, over_units, slope_of


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(0).standard_normal(9)
    plain, jackknife = over_units(values), jackknifed(lambda kept: float(values[kept].mean()), 9)
    assert jackknife == pytest.approx(plain)
    assert plain.low < plain.value < plain.high


def test_one_unit_has_no_interval_and_decides_nothing() -> None:
    for estimate in (over_units(np.array([3.0, np.nan])), jackknifed(lambda _: 3.0, 1)):
        assert estimate.value == 3
        assert np.isnan(estimate.low)
        assert not estimate.decided
    assert over_units(np.array([np.nan])).units == 0


def test_intervals_of_a_slope_hold_the_true_one_in_95_percent() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(size=12)
    lines = [slope_of(x, 1 + 2 * x + rng.standard_normal(12)) for _ in range(400)]
    held = np.mean([line is not None and line.slope.low <= 2 <= line.slope.high for line in lines])
    assert 0.92 < held < 0.98
    heights = [line.at(np.array([0.5])) for line in lines if line is not None]
    assert 0.92 < np.mean([abs(middle[0] - 2) <= half[0] for middle, half in heights]) < 0.98


def test_points_that_cannot_have_a_slope_have_none() -> None:
    assert slope_of(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert slope_of(np.ones(5), np.arange(5.0)) is None
