"""The effect of repetition: found where there is one, not where there is none."""

from collections.abc import Callable

import numpy as np
import pytest

from demix.config import SAMPLE_RATE, STEMS
from demix.data.loop_patterns import CONDITIONS
from demix.data.loops import LoopSong
from demix.errors import DemixError
from demix.evaluation.crossed import Interval
from demix.evaluation.loops import judge, middle_sdr, repetition_effects
from demix.evaluation.scores import SecondRow

SECONDS = 7
GROUPS = {"unet": ["unet-0", "unet-1"], "vit": ["vit-0", "vit-1"]}


def make_songs(bases: int, *, songs: int = 1) -> list[LoopSong]:
    return [
        LoopSong(f"{base}-{condition}", str(base), f"song {base % songs}", condition, 0)
        for base in range(bases)
        for condition in CONDITIONS
    ]


def make_rows(
    songs: list[LoopSong], sdr_db: Callable[[str, LoopSong, int], float], *, stems: tuple[str, ...] = STEMS
) -> list[SecondRow]:
    """Seconds of stems with a reference energy of 1000, or none for stems that are left out."""
    return [
        SecondRow(run, song.track, stem, second, SAMPLE_RATE, 1000.0 * (stem in stems), 1000 / 10 ** (level / 10), True)
        for runs in GROUPS.values()
        for run in runs
        for song in songs
        for second in range(SECONDS)
        for level in [sdr_db(run, song, second)]
        for stem in STEMS
    ]


def find(effects, group: str, contrast: str = "exact - never", stem: str = "drums"):
    return next(each for each in effects if (each.group, each.contrast, each.stem) == (group, contrast, stem))


def test_an_effect_of_the_vit_alone_is_found_and_agrees() -> None:
    rng = np.random.default_rng(0)
    songs = make_songs(24)

    def sdr_db(run: str, song: LoopSong, second: int) -> float:
        gain = {"exact": 1.0, "varied": 0.5, "never": 0.0}[song.condition] * run.startswith("vit")
        return 5 + gain + int(song.base) % 3 + 0.05 * rng.standard_normal()

    effects = repetition_effects(make_rows(songs, sdr_db), songs, GROUPS)
    for group, contrast, expected in (
        ("vit", "exact - never", 1),
        ("vit", "varied - never", 0.5),
        ("unet", "exact - never", 0),
        ("vit - unet", "exact - never", 1),
    ):
        effect = find(effects, group, contrast)
        assert effect.effect_db == pytest.approx(expected, abs=0.15)
        assert effect.answer == "agree"
        assert (effect.unit, effect.units, effect.seeds) == ("bases", 24, 2)
    assert find(effects, "vit").wins > 20


def test_a_net_without_memory_shows_no_effect_however_hard_the_orders_of_hits_are() -> None:
    """Its error depends on the loop that it hears now; whole songs would seem to gain 0.7 dB from repetition."""
    rng = np.random.default_rng(0)
    songs = make_songs(200)
    hardness = {
        (song.base, song.condition, second): 2.5 * rng.standard_normal() for song in songs for second in range(SECONDS)
    }

    def sdr_db(run: str, song: LoopSong, second: int) -> float:
        middle = second == SECONDS // 2
        loop = (
            (song.base, "never", SECONDS // 2) if song.condition == "exact" or middle else (song.base, "never", second)
        )
        return 5 + hardness[loop]

    effects = repetition_effects(make_rows(songs, sdr_db), songs, GROUPS)
    assert {each.effect_db for each in effects} == {0.0}
    assert find(effects, "unet").answer == "agree"
    assert find(effects, "vit").answer == "contradict"


def test_songs_are_the_units_when_there_are_enough() -> None:
    songs = make_songs(12, songs=6)
    rows = make_rows(songs, lambda run, song, second: 5 + int(song.base) * (song.condition == "exact"))
    effect = find(repetition_effects(rows, songs, GROUPS), "unet")
    assert (effect.unit, effect.units, effect.effect_db) == ("songs", 6, pytest.approx(5.5))
    few = make_songs(12, songs=4)
    assert find(repetition_effects(rows, few, GROUPS), "unet").unit == "bases"


def test_a_silent_stem_takes_no_part_in_the_mean() -> None:
    songs = make_songs(6)
    rows = make_rows(songs, lambda run, song, second: 5 + (song.condition == "exact"), stems=("vocals", "drums"))
    effects = repetition_effects(rows, songs, GROUPS)
    assert find(effects, "vit", stem="mean").effect_db == pytest.approx(1)
    assert np.isnan(middle_sdr(rows, loop_seconds=1.0)["vit-0", "0-exact", "bass"])


def test_the_middle_loop_alone_counts() -> None:
    songs = make_songs(6)
    rows = make_rows(songs, lambda run, song, second: 10.0 if second == 3 else -20.0)
    assert list(middle_sdr(rows, loop_seconds=1.0).values()) == pytest.approx([10] * 288)
    wide = make_rows(songs, lambda run, song, second: 10.0 if second in (2, 3) else -20.0)  # loops 0-1, 2-3, 4-5
    assert list(middle_sdr(wide, loop_seconds=2.0).values()) == pytest.approx([10] * 288)
    with pytest.raises(DemixError, match="a whole second fits into"):
        middle_sdr(rows, loop_seconds=0.5)


def test_groups_and_scores_have_to_be_complete() -> None:
    songs = make_songs(6)
    rows = make_rows(songs, lambda run, song, second: 5.0)
    with pytest.raises(DemixError, match="vit-2: expected a score of drums on 0-exact"):
        repetition_effects(rows, songs, {"vit": ["vit-2"]})
    with pytest.raises(DemixError, match="as many seeds of vit as of unet, received 1 and 2"):
        repetition_effects(rows, songs, {"unet": ["unet-0", "unet-1"], "vit": ["vit-0"]})
    with pytest.raises(DemixError, match="received none; make them"):
        repetition_effects(rows, [], GROUPS)
    assert {each.group for each in repetition_effects(rows, songs, {"vit": ["vit-0"]})} == {"vit"}


@pytest.mark.parametrize(
    ("low", "high", "predicted", "answer"),
    [
        (0.1, 2.0, 1, "agree"),
        (-0.1, 2.0, 1, "cannot tell"),
        (-0.1, 0.2, 1, "contradict"),
        (-2.0, -1.0, 1, "contradict"),
        (-0.2, 0.2, 0, "agree"),
        (-0.5, 0.2, 0, "cannot tell"),
        (0.2, 0.9, 0, "contradict"),
        (0.2, 0.9, None, "cannot tell"),
        (float("nan"), float("nan"), 1, "cannot tell"),
    ],
)
def test_answers(low: float, high: float, predicted: int | None, answer: str) -> None:
    assert judge(Interval((low + high) / 2, low, high), predicted=predicted) == answer
