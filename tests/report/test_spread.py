"""Numbers with intervals: they hold what they say."""

import numpy as np
import pytest

from demix.report.spread import Estimate, jackknifed, over_units


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


def test_less_than_another_seed_may_do_decides_nothing() -> None:
    assert Estimate(0.2, 0.1, 0.3, 9).decided
    assert not Estimate(0.2, 0.1, 0.3, 9, floor=0.3).decided
    assert Estimate(-0.4, -0.5, -0.3, 9, floor=0.3).decided
    assert not Estimate(0.4, -0.1, 0.9, 9, floor=0.3).decided
