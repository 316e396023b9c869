"""Levels of signals whose level is known."""

import numpy as np
import pytest

from demix.data.levels import level_db, silent_share


def test_levels_of_known_signals() -> None:
    time_axis = np.arange(88_200) / 44_100
    sine = np.float32(0.5) * np.sin(2 * np.pi * 441 * time_axis).astype(np.float32)
    assert level_db(np.stack([sine, sine])) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-4)
    assert level_db(np.zeros((2, 10), np.float32)) == -np.inf
    half = np.stack([sine, sine])
    half[:, 44_100:] = 0
    assert silent_share(half) == 0.5
    assert silent_share(half[:, :50_000]) == 0  # the rest of a second does not count
    assert silent_share(half[:, :100]) == 0
    assert silent_share(half * np.float32(3e-3)) == 0.5  # -59.5 dBFS
    assert silent_share(half * np.float32(2.7e-3)) == 1  # -60.4 dBFS
