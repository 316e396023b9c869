"""The verdict by a protocol: it flips where the rule says, and says what a verdict would need."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demix.errors import DemixError
from demix.evaluation.power import songs_needed
from demix.evaluation.published import typical_song_sd
from demix.evaluation.statistics import Difference
from demix.report.key_figures import key_figures
from demix.report.limits import said
from demix.report.protocol import check_protocol, protocol_of, rule, rule_text, wanted_in_full
from demix.report.results import Results, System
from demix.report.verdict import doubt, headline, lede

PROTOCOL = {
    "name": "evidence",
    "metric": "sdr",
    "counts_db": 0.3,
    "alpha": 0.05,
    "power": 0.8,
    "text": 'metric = "sdr"',
}
SPREAD = {"song_sd": 1.0, "seed_sd": 0.05, "rest_sd": 0.1}
CLEAR: dict[str, Any] = {"difference_db": 0.5, "low_db": 0.2, "high_db": 0.8, "p_value": 0.001}


def make(*, songs: int = 50, seeds: int = 3, other: tuple[float, float] = (0.5, 0.9), **changes: Any) -> Results:
    """Make results of a U-Net and a ViT: by default a clear lead of the ViT by 0.5 dB on 50 songs and 3 seeds."""
    unit, units = ("songs", songs) if songs >= 5 else ("blocks", 9)
    values = {**CLEAR, **SPREAD, **changes}
    main = Difference(
        stem="mean", metric="sdr", unit=unit, units=units, songs=songs, wins=songs // 2, seeds=seeds, **values
    )  # type: ignore[arg-type]
    second = replace(main, metric="sdr_bsseval", difference_db=sum(other) / 2, low_db=other[0], high_db=other[1])
    facts = {"training_seconds": 40 * 3600.0}
    scores = {"unet": {"mean": 5.0}, "vit": {"mean": 5.5}, "mixture": {"mean": -5.0}, "oracle": {"mean": 9.0}}
    return Results(
        folder=Path(),
        facts={
            "protocol": PROTOCOL,
            "dataset": {
                "name": "musdb18",
                "test": [f"song {number}" for number in range(songs)],
                "train_minutes": 600.0,
                "test_minutes": 4.0 * songs,
            },
        },
        systems=(
            System("unet", "U-Net", True, "net-1", facts, tuple(f"unet-{seed}" for seed in range(seeds))),
            System("vit", "ViT", True, "net-2", facts, tuple(f"vit-{seed}" for seed in range(seeds))),
        ),
        stems=("vocals",),
        scores={"sdr": scores, "sdr_bsseval": scores},
        silences=(),
        differences={"sdr": {"mean": main}, "sdr_bsseval": {"mean": second}},
        histories={},
        counted_seconds={},
        run_scores={"sdr": {}},
    )


def ruled(results: Results) -> Any:
    protocol = protocol_of(results)
    assert protocol is not None
    return rule(results, protocol)


@pytest.mark.parametrize(
    ("changes", "opposite"),
    [
        ({"low_db": 0.01}, {"low_db": -0.01}),
        ({"difference_db": 0.3}, {"difference_db": 0.29}),
        ({"p_value": 0.049}, {"p_value": 0.05}),
        ({"p_value": np.nan}, {"p_value": 0.9}),
        ({"other": (-0.9, 0.1)}, {"other": (-0.9, -0.1)}),
        ({"songs": 5}, {"songs": 4}),
        ({"seeds": 2}, {"seeds": 1}),
        ({"low_db": 0.2}, {"low_db": np.nan, "high_db": np.nan}),
    ],
)
def test_verdict_flips_at_every_threshold(changes: dict, opposite: dict) -> None:
    decided, open_ = make(**changes), make(**opposite)
    assert ruled(decided).better.label == "ViT"
    assert doubt(decided) is None
    assert "the ViT separates" in headline(decided)
    assert ruled(open_).better is None
    assert len(ruled(open_).reasons) == 1
    assert doubt(open_) == ruled(open_).reasons[0]
    assert "cannot tell" in headline(open_)
    assert doubt(open_) in lede(open_)


def test_a_negative_difference_speaks_for_the_first_net() -> None:
    results = make(difference_db=-0.5, low_db=-0.8, high_db=-0.2, other=(-0.9, -0.5))
    assert ruled(results).better.label == "U-Net"
    assert "the U-Net separates 50 test songs 0.50 dB better than the ViT, over 3 seeds" in headline(results)
    assert "the U-Net is better" in lede(results)


def test_what_is_missing_is_told_in_songs_everywhere() -> None:
    results = make(low_db=-0.1)
    needed = songs_needed(0.3, **SPREAD, seeds=3)
    assert needed is not None
    missing = needed - 50
    assert ruled(results).missing_songs == missing > 0
    told = f"{missing} more songs would be needed"
    assert headline(results) == f"U-Net or ViT: 50 test songs cannot tell after 40 hours of training; {told}"
    for text in (lede(results), key_figures(results), " ".join(point.text for point in said(results))):
        assert told in text
    assert "assumed" not in lede(results)


def test_with_few_songs_their_spread_is_assumed_and_that_is_said() -> None:
    results = make(songs=1, song_sd=np.nan, rest_sd=np.nan)
    needed = songs_needed(0.3, song_sd=typical_song_sd(), seed_sd=0.05, rest_sd=0.0, seeds=3)
    assert needed is not None
    assert ruled(results).missing_songs == needed - 1
    assert "typical of two systems on the songs of SiSEC 2018" in lede(results)
    assert f"assumed is a standard deviation of {typical_song_sd():.2f} dB" in lede(results)


def test_where_songs_do_not_help_more_seeds_are_asked_for() -> None:
    assert ruled(make(low_db=-0.1, seed_sd=1.0)).missing_songs is None
    assert headline(make(low_db=-0.1, seed_sd=1.0)).endswith("no number of songs would do, it needs more seeds")
    once = make(seeds=1, seed_sd=np.nan)
    assert ruled(once).missing_songs is None
    assert "not known from one" in lede(once)


def test_where_enough_songs_were_scored_none_are_asked_for() -> None:
    results = make(difference_db=0.1, low_db=0.05, high_db=0.15, song_sd=0.1)
    assert ruled(results).missing_songs == 0
    assert headline(results).endswith("more songs are not what is missing")
    protocol = protocol_of(results)
    assert protocol is not None
    assert wanted_in_full(results, protocol, ruled(results)).endswith("these songs and seeds suffice.")


def test_songs_for_a_test_that_can_be_significant_at_all() -> None:
    # Two SDs so small that 5 songs would do for the interval: Wilcoxon's test still needs 6 to fall below 0.05.
    assert ruled(make(songs=5, low_db=-0.1, song_sd=0.01, seed_sd=0.0, rest_sd=0.01)).missing_songs == 1


def test_without_a_protocol_the_old_rule_holds() -> None:
    results = make(difference_db=0.2, low_db=0.1, high_db=0.3)
    assert "smaller than the 0.3 dB" in (doubt(results) or "")
    plain = replace(results, facts={key: value for key, value in results.facts.items() if key != "protocol"})
    assert doubt(plain) is None
    assert "Verdict" not in key_figures(plain)


def test_the_rule_names_its_numbers() -> None:
    protocol = protocol_of(make())
    assert protocol is not None
    assert all(word in rule_text(protocol) for word in ("0.3 dB", "p < 0.05", "95 % interval", "of sdr,"))


@pytest.mark.parametrize("change", [{"metric": "loss"}, {"alpha": "x"}, {"counts_db": 0}, {"text": None}])
def test_a_spoilt_protocol_is_named(change: dict) -> None:
    spoilt = {key: value for key, value in (PROTOCOL | change).items() if value is not None}
    with pytest.raises(DemixError, match=r"protocol.*compare again"):
        check_protocol(Path("results.json"), {"protocol": spoilt})


def test_the_page_shows_the_rule_and_the_protocol(seeded_page: str) -> None:
    made = seeded_page[seeded_page.index('id="made"') :]
    assert "A net is better when the 95" in made
    assert "counts_db = 0.3" in made
    assert "<b>Cannot tell</b>" in seeded_page
