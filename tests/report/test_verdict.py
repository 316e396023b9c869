"""The finding in words: it follows from the numbers, and "cannot tell" is one of them."""

from pathlib import Path

import numpy as np
import pytest

from demix.evaluation.statistics import Difference
from demix.report.findings import curve_title, difference_title, score_title
from demix.report.history import History
from demix.report.limits import said, unsaid
from demix.report.results import Results, System
from demix.report.verdict import doubt, headline, lede

STEMS = ("vocals", "drums", "bass", "other")


def difference(metric: str, stem: str, mean: float, half: float, unit: str = "blocks") -> Difference:
    return Difference(stem, metric, mean, mean - half, mean + half, unit, 9, 1, 0)  # type: ignore[arg-type]


def make(
    mean: float,
    half: float,
    *,
    bsseval: tuple[float, float] | None = None,
    seeds: int = 1,
    songs: int = 1,
    hours: float = 0.1,
    stems: dict[str, float] | None = None,
    dataset: dict[str, object] | None = None,
    second: dict[str, object] | None = None,
    histories: dict[str, tuple[History, ...]] | None = None,
) -> Results:
    """Make results of two nets; `mean` is how far the ViT is ahead, `half` half of every interval."""
    net = {"training_seconds": 3600 * hours, "steps": 100, "batch_size": 4, "segment_seconds": 3.0, "parameters": 10}
    unit = "blocks" if songs < 5 else "songs"
    other = bsseval or (mean, half)
    values = {"unet": 5.0, "vit": 5.0 + mean, "mixture": -5.0, "equal": 1.0, "hpss": 2.0, "oracle": 11.0}
    return Results(
        folder=Path(),
        facts={
            "seeds": seeds,
            "dataset": {
                "name": "free",
                "test": [f"song {number}" for number in range(songs)],
                "train_minutes": 6.0,
                "test_minutes": 1.5 * songs,
                **(dataset or {}),
            },
        },
        systems=(
            System("unet", "U-Net", True, "net-1", net),
            System("vit", "ViT", True, "net-2", net | (second or {})),
            *(System(name, name, False, name, {}) for name in ("mixture", "equal", "hpss", "oracle")),
        ),
        stems=STEMS,
        scores={metric: {name: {"mean": value} for name, value in values.items()} for metric in ("sdr", "sdr_bsseval")},
        silences=(),
        differences={
            "sdr": {
                stem: difference("sdr", stem, gap, half, unit) for stem, gap in {"mean": mean, **(stems or {})}.items()
            },
            "sdr_bsseval": {"mean": difference("sdr_bsseval", "mean", *other, unit)},
        },
        histories=histories or {},
        counted_seconds=dict.fromkeys(STEMS, 80 * songs),
    )


def text(results: Results) -> tuple[str, str]:
    return tuple(" ".join(f"{lead} {rest}" for lead, rest in points) for points in (said(results), unsaid(results)))  # type: ignore[return-value]


@pytest.mark.parametrize(("mean", "winner"), [(1.0, "ViT"), (-1.0, "U-Net")])
def test_a_clear_difference_names_the_better_net(mean: float, winner: str) -> None:
    results = make(mean, 0.4)
    assert doubt(results) is None
    loser = {"ViT": "U-Net", "U-Net": "ViT"}[winner]
    assert (
        headline(results)
        == f"After 6 minutes of training, the {winner} separates one test song 1.00 dB better than the {loser}"
    )
    assert "cannot" not in text(results)[0]


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (make(1.0, 1.1), "includes zero"),
        (make(0.2, 0.1), "another training seed"),
        (make(1.0, 0.4, bsseval=(-1.0, 0.4)), "contradict"),
        (make(1.0, np.nan), "too little music"),
    ],
)
def test_what_chance_or_contradiction_explains_cannot_be_told(results: Results, why: str) -> None:
    assert why in (doubt(results) or "")
    assert "better than" not in headline(results)
    assert why in lede(results)
    assert "cannot be told" in text(results)[0]


def test_doubt_ends_where_its_reason_ends() -> None:
    assert doubt(make(0.2, 0.1, seeds=3)) is None
    assert doubt(make(1.0, 0.4, bsseval=(-1.0, 1.4))) is None
    assert "too little to call" in headline(make(0.2, 0.1))
    assert "cannot tell the U-Net and the ViT apart" in headline(make(0.2, 0.3))


def test_small_runs_give_no_verdict_on_architectures() -> None:
    for results in (make(1.0, 0.4), make(1.0, 0.4, songs=50), make(1.0, 0.4, hours=30)):
        assert "no verdict on the architectures" in lede(results)
        assert "Which architecture is better." in text(results)[1]
    large = make(1.0, 0.4, songs=50, hours=30)
    assert "no verdict" not in lede(large)
    assert "Which architecture" not in text(large)[1]


def test_limits_follow_from_the_facts() -> None:
    small = text(make(1.0, 0.4, dataset={"artists": ["A & B"]}))[1]
    assert "one song by one artist, A & B, who also made the training songs: 1.5 minutes in all" in small
    assert "other moments of this music, not about other songs" in small
    assert "trained once" in small
    assert "of MUSDB18; these are not" in small
    large = text(make(1.0, 0.4, songs=50, seeds=3, dataset={"name": "musdb18"}))[1]
    assert "artist" not in large
    assert "moments" not in large
    assert "trained with 3 seeds" in large
    assert "these are not" not in large


def test_unequal_terms_are_told() -> None:
    equal = text(make(1.0, 0.4))
    assert "equally much music: 100 steps of 4 segments of 3 s" in equal[0]
    assert "equal cost" not in equal[1]
    unequal = text(make(1.0, 0.4, second={"steps": 200, "training_seconds": 720.0}))
    assert "equally much" not in unequal[0]
    assert "The ViT took 2 times the training time of the U-Net" in unequal[1]


def test_gains_over_what_learns_nothing_are_told() -> None:
    points = text(make(-4.0, 0.4))[0]
    assert "The U-Net has learned to separate. It is 10.0 dB above the mixture" in points
    assert "The ViT does not beat every rule that learns nothing." in points
    assert "1.0 dB below HPSS" in points
    assert "Of the way to the ceiling: U-Net 40 % and ViT 0 %." in points


def test_a_curve_that_still_rises_is_told() -> None:
    steps = np.arange(1.0, 101.0)
    rising, done = (History(steps, steps, -sdr, sdr) for sdr in (steps / 10, np.minimum(steps / 10, 5)))
    results = make(1.0, 0.4, histories={"unet": (rising,), "vit": (done,)})
    assert "Where the U-Net would end. Its validation sdr still rose by 2.5 dB" in text(results)[1]
    assert "Where the ViT" not in text(results)[1]
    assert curve_title(results, results.nets, "valid_sdr", "step") == "U-Net 5.0 dB ahead in validation after 100 steps"
    lower_loss = curve_title(results, results.nets, "loss", "seconds")
    assert lower_loss.startswith("U-Net: lower loss than the ViT after 1.7 minutes")


def test_titles_say_who_is_ahead_on_what() -> None:
    results = make(1.0, 0.4, stems={"vocals": 1.0, "drums": -1.0, "bass": 0.1})
    assert (
        difference_title(results, "sdr")
        == "sdr: ViT ahead on mean and vocals; U-Net ahead on drums; cannot tell for bass"
    )
    assert "open for bass" in text(results)[0]
    assert score_title(results, "sdr") == "sdr: 10.0 to 11.0 dB above the mixture, 5.0 dB below the oracle mask"


def test_few_counted_seconds_are_told() -> None:
    results = make(1.0, 0.4)
    assert "sdr_bsseval" not in text(results)[1]
    results.counted_seconds.update(vocals=16)  # type: ignore[attr-defined]
    assert "Only 16 of 90 seconds enter it" in text(results)[1]
