"""Loop songs: three songs of one base differ in the order of their drum hits and in nothing else."""

import csv
import json
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from demix.config import SAMPLE_RATE, STEMS
from demix.data import open_dataset
from demix.data.loop_bases import Base, make_bases
from demix.data.loop_patterns import CONDITIONS, REST, Loops, draw_patterns
from demix.data.loops import read_songs, write_loops
from demix.data.stored import fingerprint
from demix.data.track import Track
from demix.errors import DemixError

DRUMS = STEMS.index("drums")
SMALL = Loops(seconds=4.0, bases=2)
BAND_EDGES_HZ = (30, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000)


@pytest.fixture(scope="module")
def lithium() -> Track:
    return next(track for track in open_dataset("free") if track.name == "lithium")


@pytest.fixture(scope="module")
def bases(lithium: Track) -> list[Base]:
    """Two bases as they are by default, but for their number."""
    return list(make_bases([lithium], replace(SMALL, seconds=12.0)))


def draw(settings: Loops, seed: int = 0) -> dict[str, np.ndarray]:
    return draw_patterns(settings, np.random.default_rng(seed))


def spectrum_db(waveform: np.ndarray) -> np.ndarray:
    """Long-term energy in octaves, in dB."""
    hertz = np.fft.rfftfreq(4096, 1 / SAMPLE_RATE)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 4096, axis=1)[:, ::1024] * np.hanning(4096)
    power = np.square(np.abs(np.fft.rfft(frames))).sum(axis=(0, 1))
    return 10 * np.log10([power[(hertz >= low) & (hertz < high)].sum() for low, high in pairwise(BAND_EDGES_HZ)])


@pytest.mark.parametrize("steps", [4, 6, 8, 13, 16])
def test_every_loop_of_every_condition_has_the_same_hits(steps: int) -> None:
    settings = Loops(seconds=12.0, steps=steps)
    for pattern in draw(settings).values():
        assert pattern.shape == (12, steps)
        np.testing.assert_array_equal(np.sort(pattern, axis=1), np.sort([settings.hits] * 12, axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_exact_repeats_varied_keeps_most_never_returns(seed: int) -> None:
    patterns = draw(Loops(seconds=60.0, varied=0.25), seed)
    exact, varied, never = (patterns[condition] for condition in CONDITIONS)
    assert (exact == exact[0]).all()
    assert ((varied != exact).sum(axis=1) == 2).all()  # a quarter of eight steps
    assert len(np.unique(varied, axis=0)) > 5
    assert len(np.unique(never, axis=0)) == len(never) == 60


def test_all_conditions_draw_their_loops_alike() -> None:
    """A loop that were more regular than those of `never` would be an effect of order, not of repetition."""
    drawn = [draw(Loops(seconds=4.0), seed) for seed in range(400)]
    first = np.stack([patterns["exact"][0] for patterns in drawn])
    any_loop = np.stack([patterns["never"][-1] for patterns in drawn])
    for hit in (REST, 0, 1, 2, 3):
        shares = (first == hit).mean(axis=0), (any_loop == hit).mean(axis=0)
        np.testing.assert_allclose(shares, (Loops().hits == hit).mean(), atol=0.09)  # 4 standard errors


def test_conditions_share_all_but_the_drums(bases: list[Base]) -> None:
    for base in bases:
        for condition in ("varied", "never"):
            others = (np.delete(base.stems[each], DRUMS, axis=0) for each in (condition, "exact"))
            np.testing.assert_array_equal(*others)
            assert not np.array_equal(base.stems[condition][DRUMS], base.stems["exact"][DRUMS])


def test_drums_have_equal_energy_in_every_loop_and_equal_long_term_spectra(bases: list[Base]) -> None:
    for base in bases:
        energies = [
            np.square(base.stems[condition][DRUMS], dtype=np.float64).reshape(2, 12, -1).sum(axis=(0, 2))
            for condition in CONDITIONS
        ]
        np.testing.assert_allclose(energies, np.mean(energies), rtol=1e-5)
        exact = spectrum_db(base.stems["exact"][DRUMS])
        for condition in ("varied", "never"):
            np.testing.assert_allclose(spectrum_db(base.stems[condition][DRUMS]), exact, atol=0.3)


def test_hits_are_whole_distinct_and_of_their_kind(bases: list[Base]) -> None:
    for base in bases:
        assert len({hit.start for hit in base.hits}) == 4
        hertz = np.fft.rfftfreq(base.hits[0].waveform.shape[1], 1 / SAMPLE_RATE)
        centres = []
        for hit in base.hits:
            power = np.square(np.abs(np.fft.rfft(hit.waveform))).sum(axis=0)
            centres.append((power * hertz).sum() / power.sum())
            assert np.abs(hit.waveform[:, [0, -1]]).max() < 1e-3  # no click at either end
            level = np.abs(hit.waveform).max(axis=0)
            assert level[: SAMPLE_RATE // 100].max() > 0.2 * level.max()  # it begins with its attack
        low, mid, *high = centres
        assert low < mid < min(high)


def test_bases_differ_in_hits_excerpts_and_patterns(bases: list[Base]) -> None:
    first, second = bases
    assert {hit.start for hit in first.hits} != {hit.start for hit in second.hits}
    assert abs(first.start_seconds - second.start_seconds) >= 6  # half a song apart
    assert not np.array_equal(first.patterns["exact"], second.patterns["exact"])


def test_songs_are_written_and_read_back(lithium: Track, tmp_path) -> None:
    songs = write_loops([lithium], tmp_path / "loops", SMALL)
    rows = read_songs(tmp_path / "loops" / "songs.csv")
    assert sorted(song.name for song in songs) == sorted(row.track for row in rows)
    assert [(row.base, row.condition) for row in rows] == [
        (base, condition) for base in ("0-lithium", "1-lithium") for condition in CONDITIONS
    ]
    assert {(row.song, row.seed) for row in rows} == {("lithium", 0)}
    made = {
        f"{base.name}-{condition}": base.stems[condition]
        for base in make_bases([lithium], SMALL)
        for condition in CONDITIONS
    }
    for song in songs:
        stems, mixture = song.load()
        assert song.split == "test"
        assert stems.shape == (4, 2, 4 * 8 * SMALL.step_samples)
        np.testing.assert_allclose(stems, made[song.name], atol=2**-23)
        assert max(np.abs(stems).max(), np.abs(mixture).max()) < 1
        assert len(fingerprint(song)) == 32


def test_equal_settings_give_equal_bytes_and_songs_that_are_there_stay(lithium: Track, tmp_path) -> None:
    def contents(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    write_loops([lithium], first, SMALL)
    write_loops([lithium], second, SMALL)
    assert contents(first) == contents(second)
    before = (first / "songs.csv").stat().st_mtime_ns
    write_loops([lithium], first, SMALL)
    assert (first / "songs.csv").stat().st_mtime_ns == before
    write_loops([lithium], other, replace(SMALL, seed=1))
    assert contents(first) != contents(other)
    write_loops([lithium], first, replace(SMALL, seed=1))  # made otherwise: replaced
    assert contents(first) == contents(other)


def test_a_loud_song_is_turned_down_the_same_in_all_conditions(lithium: Track) -> None:
    stems = 12 * lithium.stems()
    base = next(make_bases([replace(lithium, read=lambda: (stems, None))], SMALL))
    assert base.gain < 1
    loudest = max(max(np.abs(song).max(), np.abs(song.sum(axis=0)).max()) for song in base.stems.values())
    assert loudest == pytest.approx(0.98, rel=1e-4)


def test_a_song_without_drums_is_left_out_and_named(lithium: Track, tmp_path) -> None:
    stems = lithium.stems()[..., : 6 * SAMPLE_RATE].copy()
    stems[DRUMS] = 0
    mute = Track("mute", "test", lambda: (stems, None), lithium.paths)
    songs = write_loops([mute, lithium], tmp_path / "loops", SMALL)
    assert {song.name.partition("-")[2] for song in songs} == {f"lithium-{condition}" for condition in CONDITIONS}
    assert "drums with at least 4 hits" in json.loads((tmp_path / "loops/loops.json").read_text())["skipped"]["mute"]
    with pytest.raises(DemixError, match="mute: expected drums with at least 4 hits, found 0"):
        write_loops([mute], tmp_path / "none", SMALL)
    assert os.listdir(tmp_path) == ["loops"]  # noqa: PTH208


def test_a_short_song_is_an_error_that_says_so(lithium: Track) -> None:
    stems = lithium.stems()[..., : 3 * SAMPLE_RATE]
    with pytest.raises(DemixError, match=r"lithium: expected at least 4.0 s, received 3.0 s"):
        next(make_bases([replace(lithium, read=lambda: (stems, None))], SMALL))


def test_other_files_are_never_replaced(lithium: Track, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DemixError, match="found other files; choose another folder"):
        write_loops([lithium], tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3}, "at least 4 steps"),
        ({"loop_seconds": 0.4}, "at least 4 steps of at least 0.06 s"),
        ({"loop_seconds": float("nan")}, "at least 4 steps"),
        ({"seconds": 1.5}, "at least two loops"),
        ({"seconds": float("inf")}, "at least two loops"),
        ({"varied": 0.0}, "a share of hits"),
        ({"bases": 0}, "a base"),
        ({"steps": 4, "seconds": 60.0}, "at most 24 repetitions"),
    ],
)
def test_settings_that_make_no_loops(changes: dict, message: str) -> None:
    with pytest.raises(DemixError, match=message):
        Loops(**changes)


def test_a_table_of_songs_that_is_none(tmp_path) -> None:
    path = tmp_path / "songs.csv"
    with pytest.raises(DemixError, match="cannot be read"):
        read_songs(path)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["track", "base", "song", "condition", "seed"], ["a", "b", "c", "sometimes", "0"]])
    with pytest.raises(DemixError, match="known conditions"):
        read_songs(path)
