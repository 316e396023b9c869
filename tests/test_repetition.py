"""The repetition score: loops above variations above none, whatever the tempo; and the slope over it."""

from collections.abc import Sequence

import numpy as np
import pytest

from demix.config import SAMPLE_RATE, STEMS
from demix.data import open_dataset
from demix.data.loop_bases import make_bases
from demix.data.loop_patterns import CONDITIONS, Loops
from demix.data.track import Audio, Track
from demix.errors import DemixError
from demix.evaluation.probes.repetition import RepetitionRow, find_beats, score_repetition
from demix.evaluation.probes.slope import Point, fit_slope, pair_points
from demix.evaluation.scores import SecondRow

DRUMS = STEMS.index("drums")


def make_track(stems: Audio, name: str = "song") -> Track:
    return Track(name, "test", lambda: (stems.astype(np.float32), None), ())


def whole(rows: Sequence[RepetitionRow]) -> dict[str, float]:
    """The score of the whole song by stem: its first row."""
    return {row.stem: row.score for row in reversed(rows)}


@pytest.mark.parametrize("loop_seconds", [0.8, 1.0, 1.3])
def test_loops_score_above_variations_above_none_at_any_tempo(loop_seconds: float) -> None:
    lithium = next(track for track in open_dataset("free") if track.name == "lithium")
    (base,) = make_bases([lithium], Loops(seconds=16 * loop_seconds, loop_seconds=loop_seconds, bases=1))
    exact, varied, never = (
        whole(score_repetition(make_track(base.stems[condition])))["drums"] for condition in CONDITIONS
    )
    assert exact > 0.75
    assert never < 0.25
    assert exact - 0.15 > varied > never + 0.1


def test_real_drums_repeat_and_what_is_shuffled_does_not() -> None:
    lithium = next(track for track in open_dataset("free") if track.name == "lithium")
    stems = lithium.stems()[..., : 20 * SAMPLE_RATE]
    beats = find_beats(stems.sum(axis=0))
    assert np.median(np.diff(beats)) == pytest.approx(0.488, abs=0.01)  # 123 beats a minute
    pieces = stems.reshape(4, 2, 140, -1)  # of a seventh of a second
    mixed = pieces[:, :, np.random.default_rng(0).permutation(140)].reshape(stems.shape)
    scores, of_mixed = (whole(score_repetition(make_track(each))) for each in (stems, mixed))
    assert scores["drums"] > 0.7
    assert of_mixed["drums"] < 0.3


def test_noise_and_a_steady_tone_score_nothing() -> None:
    samples = 16 * SAMPLE_RATE
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, 2, samples))
    tone = np.broadcast_to(0.1 * np.sin(2 * np.pi * 440 * np.arange(samples) / SAMPLE_RATE), (4, 2, samples))
    for stems in (noise, tone):
        assert max(whole(score_repetition(make_track(stems))).values()) < 0.05


def test_a_melody_that_returns_scores_where_one_that_does_not_scores_less() -> None:
    rng = np.random.default_rng(0)

    def play(notes: np.ndarray) -> np.ndarray:
        time = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
        return np.concatenate([0.3 * np.sin(2 * np.pi * 220 * 2 ** (note / 12) * time) for note in notes])

    tune = rng.permutation(12)[:8]
    clicks = np.zeros(16 * SAMPLE_RATE)
    clicks[:: SAMPLE_RATE // 2] = 0.9
    stems = np.zeros((4, 2, 16 * SAMPLE_RATE))
    stems[DRUMS] = clicks
    stems[3], stems[2] = play(np.tile(tune, 8)), play(rng.integers(0, 12, 64))
    scores = whole(score_repetition(make_track(stems)))
    assert scores["other"] > 0.8
    assert scores["bass"] < 0.4


def test_silence_has_no_score_and_windows_cover_the_song() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, 2, 27 * SAMPLE_RATE))
    noise[0] = 0
    noise[2, :, 10 * SAMPLE_RATE :] = 0
    rows = score_repetition(make_track(noise))
    assert [(row.start_seconds, row.seconds) for row in rows if row.stem == "drums"] == [
        (0, 27),
        (0, 10),
        (10, 10),
        (20, 7),
    ]
    assert all(np.isnan(row.score) and row.bars == 0 for row in rows if row.stem == "vocals")
    assert [np.isnan(row.score) for row in rows if row.stem == "bass"] == [False, False, True, True]
    drums = [row.bars for row in rows if row.stem == "drums"]
    assert drums[0] == sum(drums[1:]) > 20


def test_a_song_too_short_for_two_bars_has_no_score() -> None:
    rows = score_repetition(make_track(0.1 * np.random.default_rng(0).standard_normal((4, 2, SAMPLE_RATE))))
    assert all(np.isnan(row.score) for row in rows)


def simulate(
    rng: np.random.Generator, *, songs: int, windows: int, slope: float, song_sd: float = 1.0, sd: float = 0.3
) -> list[Point]:
    """Windows whose difference grows with their score; songs differ in score and, with it, in level."""
    points = []
    for song in range(songs):
        level = rng.normal(0, song_sd)
        scores = np.clip(0.5 + 0.2 * level + rng.normal(0, 0.2, windows), 0, 1)
        differences = 3 * level * (windows > 1) + slope * scores + rng.normal(0, sd, windows)
        points += [
            Point(str(song), 10.0 * place, 10.0, windows == 1, float(score), float(difference))
            for place, (score, difference) in enumerate(zip(scores, differences, strict=True))
        ]
    return points


@pytest.mark.parametrize(("songs", "windows", "unit"), [(12, 1, "songs"), (2, 9, "windows"), (1, 9, "windows")])
def test_slopes_are_found_and_their_intervals_hold(songs: int, windows: int, unit: str) -> None:
    rng = np.random.default_rng(0)
    found = [fit_slope(simulate(rng, songs=songs, windows=windows, slope=2.0)) for _ in range(1000)]
    assert {(each.unit, each.units, each.songs) for each in found} == {(unit, songs * windows, songs)}
    assert np.median([each.slope_db for each in found]) == pytest.approx(2, abs=0.1)
    assert 0.93 < np.mean([each.low_db <= 2 <= each.high_db for each in found]) < 0.97


def test_a_slope_is_undefined_without_enough_windows_or_differences_of_score() -> None:
    points = simulate(np.random.default_rng(0), songs=1, windows=9, slope=2.0)
    same = [point._replace(score=0.5) for point in points]
    for few in ([], points[:4], same, [point._replace(whole=True, track=str(k)) for k, point in enumerate(same)]):
        slope = fit_slope(few)
        assert np.isnan([slope.slope_db, slope.low_db, slope.high_db]).all()


def test_points_pair_scores_with_the_same_seconds() -> None:
    rows = [RepetitionRow("a", "drums", start, length, 0.5, 9) for start, length in ((0, 4), (0, 2), (2, 2))]
    rows += [replace_score(rows[0]), RepetitionRow("a", "bass", 0, 4, 0.5, 9)]
    levels = {"unet-0": (0, 0), "unet-1": (2, 2), "vit-0": (3, 5), "vit-1": (3, 7)}  # of the halves, in dB
    seconds = [
        SecondRow(run, "a", "drums", second, SAMPLE_RATE, 1000.0, 1000 / 10 ** (of_halves[second // 2] / 10), True)
        for run, of_halves in levels.items()
        for second in range(4)
    ]
    points = pair_points(rows, seconds, ["vit-0", "vit-1"], ["unet-0", "unet-1"], stem="drums")
    assert [(point.start_seconds, point.whole) for point in points] == [(0, True), (0, False), (2, False)]
    assert [point.difference_db for point in points[1:]] == pytest.approx([2, 5])
    assert 2 < points[0].difference_db < 5
    with pytest.raises(DemixError, match="vit-2: expected seconds of drums on a"):
        pair_points(rows, seconds, ["vit-2"], ["unet-0"], stem="drums")


def replace_score(row: RepetitionRow) -> RepetitionRow:
    """The same window without a score."""
    return row._replace(score=float("nan"))
