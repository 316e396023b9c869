"""The verdict by the protocol: a rule that was written down before the numbers, applied to them.

Three outcomes: one net is better, the other is, or it cannot be told, and then how many more songs would be needed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demix.errors import DemixError
from demix.evaluation.power import songs_needed
from demix.evaluation.published import typical_song_sd
from demix.evaluation.statistics import ENOUGH_SONGS, Difference
from demix.report.results import METRICS, Results, System, excludes_zero
from demix.report.words import count, decibels

NUMBERS = ("counts_db", "alpha", "power")


@dataclass(frozen=True)
class Protocol:
    """What was laid down before the numbers.

    Args:
        name: of the protocol.
        metric: a name in `METRICS`, the one that decides.
        counts_db: smallest mean difference in dB that counts.
        alpha: largest p-value that counts.
        power: wanted chance of seeing a difference of `counts_db`.
        text: the file that it stands in (TOML).
    """

    name: str
    metric: str
    counts_db: float
    alpha: float
    power: float
    text: str


@dataclass(frozen=True)
class Ruling:
    """What the protocol says about the numbers.

    Args:
        better: the better net, None where it cannot be told.
        reasons: what is missing for a verdict, each a clause; empty where there is one.
        missing_songs: how many more songs would be needed; 0 where songs are not what is missing, None where no number
            of songs would do.
        assumed_song_sd_db: spread over songs that was assumed for it, because too few were scored; None if measured.
    """

    better: System | None
    reasons: tuple[str, ...] = ()
    missing_songs: int | None = 0
    assumed_song_sd_db: float | None = None


def check_protocol(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise `DemixError` where results.json holds something else than a protocol under `protocol`."""
    laid_down = facts.get("protocol")
    if laid_down is None:
        return
    try:
        wrong = [key for key in NUMBERS if not float(laid_down[key]) > 0]
        wrong += [] if laid_down["metric"] in METRICS else ["metric"]
        _ = str(laid_down["name"]), str(laid_down["text"])
    except (KeyError, TypeError, ValueError) as error:
        raise DemixError(
            f"{path}: expected a protocol with name, metric, {', '.join(NUMBERS)} and text, received {error}; "
            "compare again"
        ) from error
    if wrong:
        raise DemixError(
            f"{path}: protocol: expected {wrong[0]} as demix compare writes it, received another; compare again"
        )


def protocol_of(results: Results) -> Protocol | None:
    """Return the protocol of a comparison, None where it was made without one."""
    facts = results.facts.get("protocol")
    if facts is None:
        return None
    counts_db, alpha, power = (float(facts[key]) for key in NUMBERS)
    return Protocol(str(facts["name"]), str(facts["metric"]), counts_db, alpha, power, str(facts["text"]))


def rule_text(protocol: Protocol) -> str:
    """Say the rule in one sentence."""
    return (
        f"A net is better when the 95 % interval of the paired mean difference of {protocol.metric}, over songs and "
        f"seeds, excludes zero, the difference is at least {protocol.counts_db:g} dB, the Wilcoxon signed-rank test "
        f"over songs gives p < {protocol.alpha:g} where it can be computed, and the other SDR does not contradict; "
        f"otherwise it cannot be told. With fewer than {ENOUGH_SONGS} songs, or one seed, nothing can be."
    )


def rule(results: Results, protocol: Protocol) -> Ruling | None:
    """Apply the protocol to the difference of the first two nets; None where there is no difference."""
    difference = results.difference(protocol.metric)
    if difference is None:
        return None
    reasons = _reasons(results, protocol, difference)
    if not reasons:
        return Ruling(results.nets[1] if difference.difference_db > 0 else results.nets[0])
    missing, assumed = _missing_songs(results, protocol, difference)
    return Ruling(None, reasons, missing, assumed)


def wanted(ruling: Ruling) -> str:
    """Say what a verdict still needs: `47 more songs would be needed`."""
    if ruling.missing_songs is None:
        return "no number of songs would do, it needs more seeds"
    if ruling.missing_songs:
        return f"{count(ruling.missing_songs, 'more song')} would be needed"
    return "more songs are not what is missing"


def wanted_in_full(results: Results, protocol: Protocol, ruling: Ruling) -> str:
    """Say the same as a sentence, with what it is computed from."""
    aim = f"To see a difference of {protocol.counts_db:g} dB in {100 * protocol.power:g} % of such comparisons"
    if ruling.missing_songs is None:
        known = "the spread over seeds is not known from one" if results.seeds == 1 else "the seeds differ too much"
        return f"{aim}, no number of songs would do: {known}, so more seeds are needed."
    if not ruling.missing_songs:
        return f"{aim}, these songs and seeds suffice."
    text = f"{aim}, {count(ruling.missing_songs, 'more song')} would be needed at {count(results.seeds, 'seed')}"
    if ruling.assumed_song_sd_db is None:
        return f"{text}, as the differences spread here."
    spread = decibels(ruling.assumed_song_sd_db)
    return (
        f"{text}; so few songs do not tell how much songs differ: assumed is a standard deviation of {spread} dB, "
        "typical of two systems on the songs of SiSEC 2018."
    )


def _reasons(results: Results, protocol: Protocol, difference: Difference) -> tuple[str, ...]:
    reasons = []
    if math.isnan(difference.low_db):
        reasons.append("there is too little music for an interval")
    elif not excludes_zero(difference):
        reasons.append("the interval of the difference includes zero")
    elif difference.unit == "blocks":
        reasons.append(f"the interval speaks about moments of {count(difference.songs, 'song')}, not about other songs")
    if results.seeds == 1:
        reasons.append("each net was trained once, which says nothing about other trainings")
    if abs(difference.difference_db) < protocol.counts_db:
        reasons.append(f"the difference is smaller than the {protocol.counts_db:g} dB that count")
    if difference.p_value >= protocol.alpha:  # false for NaN, where the test cannot be computed
        reasons.append(f"the Wilcoxon test gives p = {difference.p_value:.2g}")
    for metric in METRICS:
        other = results.difference(metric)
        if other is not None and excludes_zero(other) and other.difference_db * difference.difference_db < 0:
            reasons.append(f"{metric} contradicts")
    return tuple(reasons)


def _missing_songs(results: Results, protocol: Protocol, difference: Difference) -> tuple[int | None, float | None]:
    """Return how many more songs are needed, and the assumed spread over songs, None where it was measured."""
    few = difference.songs < ENOUGH_SONGS or math.isnan(difference.song_sd)
    song_sd = typical_song_sd() if few else difference.song_sd
    assumed = song_sd if few else None
    if results.seeds == 1 or math.isnan(difference.seed_sd):  # what another seed would change is not known
        return None, assumed
    needed = songs_needed(
        protocol.counts_db,
        song_sd=song_sd,
        seed_sd=difference.seed_sd,
        rest_sd=0.0 if math.isnan(difference.rest_sd) else difference.rest_sd,
        seeds=results.seeds,
        power=protocol.power,
    )
    if needed is None:
        return None, assumed
    # The smallest p-value that the test can give on n songs is 2 ** (1 - n), all differences of one sign.
    for_test = math.floor(1 - math.log2(protocol.alpha)) + 1
    return max(0, max(needed, for_test) - difference.songs), assumed
