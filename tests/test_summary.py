"""The summary of a data set is that of its music laid end to end."""

import math
from pathlib import Path

import numpy as np
import pytest

from demix.config import SAMPLE_RATE
from demix.data.levels import level_db, silent_share
from demix.data.stored import StoredTrack
from demix.data.summary import summarise


def store(name, split, stems):
    """Return the row that a store would hold of `(stems, channels, samples)`."""
    return StoredTrack(
        name=name,
        split=split,
        samples=stems.shape[-1],
        scale=1.0,
        path=Path(name),
        has_mixture=False,
        rms_db=tuple(level_db(stem) for stem in stems),
        peak=tuple(float(np.abs(stem).max()) for stem in stems),
        silent_share=tuple(silent_share(stem) for stem in stems),
    )


@pytest.fixture
def songs():
    rng = np.random.default_rng(0)
    gains = np.array([0.3, 0.1, 0.01, 0.0])[:, None, None]
    long, short = (gains * rng.standard_normal((4, 2, SAMPLE_RATE * seconds)) for seconds in (6, 2))
    long[0, :, : 3 * SAMPLE_RATE] = 0.0
    return long.astype(np.float32), 0.5 * short.astype(np.float32)


def test_the_whole_is_summarised_as_if_it_were_one_song(songs):
    *_, whole = summarise([store("a", "train", songs[0]), store("b", "train", songs[1])])
    joined = np.concatenate(songs, axis=-1)
    assert (whole.split, whole.songs) == ("all", 2)
    assert whole.minutes == pytest.approx(8 / 60)
    assert whole.rms_db[:3] == pytest.approx([level_db(stem) for stem in joined[:3]], abs=1e-3)
    assert whole.rms_db[3] == -math.inf
    assert whole.silent_share == pytest.approx([silent_share(stem) for stem in joined])


def test_each_split_with_songs_has_its_row(songs):
    tracks = [store("c", "test", songs[0]), store("a", "train", songs[0]), store("b", "train", songs[1])]
    rows = summarise(tracks)
    assert [(row.split, row.songs) for row in rows] == [("train", 2), ("test", 1), ("all", 3)]
    assert sum(row.minutes for row in rows[:-1]) == pytest.approx(rows[-1].minutes)
