"""The finding in words: which net is better, if the numbers can tell.

"Cannot tell" is a result. Where a protocol was laid down before the numbers, its rule decides (`protocol.py`).
Otherwise a lead counts only when its interval excludes zero, when it is larger than what another training seed is known
to move (as long as each net was trained once), and when the two SDRs do not contradict each other.
"""

import math

from demix.evaluation.statistics import Difference
from demix.report.protocol import Protocol, Ruling, protocol_of, rule, wanted, wanted_in_full
from demix.report.results import Results, System, excludes_zero, resampled
from demix.report.words import count, decibels, duration, interval, join, sentence

# Training seeds move one net's average SDR by 0.1 to 0.3 dB (published BSRNN runs on MUSDB18).
SEED_NOISE_DB = 0.3
# Below these a result is about the songs and the minutes spent, not about the nets.
FEW_SONGS = 20
SHORT_TRAINING_SECONDS = 3 * 3600.0


def better(results: Results, difference: Difference) -> System:
    """Return the net that a difference speaks for, however small it is."""
    return results.nets[1] if difference.difference_db > 0 else results.nets[0]


def doubt(results: Results) -> str | None:
    """Return in words why the mean difference decides nothing, None where it does."""
    ruled = ruling_of(results)
    if ruled is not None:
        return join(ruled[1].reasons) or None
    difference, second = results.difference("sdr"), results.difference("sdr_bsseval")
    if difference is None:
        return "there is no difference to judge"
    if math.isnan(difference.low_db):
        return "there is too little music for an interval"
    if not excludes_zero(difference):
        return "the interval of the difference includes zero"
    if results.seeds == 1 and abs(difference.difference_db) < SEED_NOISE_DB:
        return f"another training seed alone is known to move a net by 0.1 to {SEED_NOISE_DB} dB"
    if second is not None and excludes_zero(second) and second.difference_db * difference.difference_db < 0:
        return "the two SDRs contradict each other"
    return None


def ruling_of(results: Results) -> tuple[Protocol, Ruling] | None:
    """Return the protocol and what it says about the difference; None without one, or without a difference."""
    protocol = protocol_of(results)
    ruling = rule(results, protocol) if protocol else None
    return None if protocol is None or ruling is None else (protocol, ruling)


def headline(results: Results) -> str:
    """Say the finding in one sentence, with what it is about."""
    songs, nets = count(len(results.test_songs), results.song_kind), results.nets
    if not nets:
        return f"Baselines on {songs}: no net was scored"
    seconds = max(net.number("training_seconds") or 0.0 for net in nets)
    after = f"After {duration(seconds)} of training, " if seconds else ""
    difference = results.difference("sdr")
    if difference is None:
        gain = decibels(gap(results, nets[0], "mixture"), digits=1)
        return sentence(f"{after}the {nets[0].label} scores {gain} dB above the mixture on {songs}")
    ruled = ruling_of(results)
    deciding = difference if ruled is None else results.difference(ruled[0].metric) or difference
    ahead = better(results, deciding)
    behind = nets[0] if ahead is nets[1] else nets[1]
    lead = decibels(abs(deciding.difference_db))
    over = f", over {count(results.seeds, 'seed')}" if results.seeds > 1 else ""
    if doubt(results) is None:
        return sentence(f"{after}the {ahead.label} separates {songs} {lead} dB better than the {behind.label}{over}")
    if ruled is not None:
        when = f" after {duration(seconds)} of training" if seconds else ""
        return f"{nets[0].label} or {nets[1].label}: {songs} cannot tell{when}; {wanted(ruled[1])}"
    if excludes_zero(difference) and abs(difference.difference_db) < SEED_NOISE_DB:
        return sentence(f"{after}the {ahead.label} leads by {lead} dB: too little to call on {songs}")
    return sentence(f"{after}{songs} cannot tell the {nets[0].label} and the {nets[1].label} apart")


def lede(results: Results) -> str:
    """Say the numbers behind the headline and how far they reach."""
    scores = ", ".join(f"{net.label} {decibels(results.score('sdr', net.name))} dB" for net in results.nets)
    floor = f"mixture as estimate {decibels(results.score('sdr', 'mixture'))} dB"
    parts = [f"Mean sdr over the stems: {scores}; {floor}." if scores else f"Mean sdr: {floor}."]
    difference = results.difference("sdr")
    if difference is not None:
        parts.append(f"{difference_in_words(results, difference)}.")
        parts += _verdict(results)
    if is_small(results):
        parts.append(
            f"This is about {count(len(results.test_songs), 'song')} and a short training on "
            f"{training_music(results)}: no verdict on the architectures."
        )
    return " ".join(parts)


def _verdict(results: Results) -> list[str]:
    """Say which net is better or why it cannot be told, by whose rule, and what would be needed."""
    why, ruled = doubt(results), ruling_of(results)
    if ruled is None:
        return [] if why is None else [f"So this run cannot tell which net is better: {why}."]
    protocol, ruling = ruled
    if ruling.better is not None:
        return [
            f"By the protocol “{protocol.name}”, laid down before the numbers, the {ruling.better.label} is better."
        ]
    cannot = f"laid down before the numbers, it cannot be told which net is better: {why}."
    return [f"By the protocol “{protocol.name}”, {cannot}", wanted_in_full(results, protocol, ruling)]


def difference_in_words(results: Results, difference: Difference) -> str:
    """Write `ViT − U-Net: −0.69 dB, 95 % interval −0.95 to −0.42 (resampled: 9 blocks of 10 s)`."""
    first, second = results.nets[:2]
    seeds = f", {count(results.seeds, 'seed')}" if results.seeds > 1 else ""
    return (
        f"Paired difference {second.label} − {first.label}: {decibels(difference.difference_db, signed=True)} dB, 95 % "
        f"interval {interval(difference.low_db, difference.high_db)} (resampled: {resampled(difference)}{seeds})"
    )


def is_small(results: Results) -> bool:
    """Tell whether the run is too small to speak about architectures at all."""
    seconds = max((net.number("training_seconds") or 0.0 for net in results.nets), default=0.0)
    return len(results.test_songs) < FEW_SONGS or seconds < SHORT_TRAINING_SECONDS


def training_music(results: Results) -> str:
    """Say how much music the nets learnt from."""
    minutes = float(results.facts["dataset"]["train_minutes"])
    return f"{duration(60 * minutes)} of music" if minutes else "music of unknown length"


def gap(results: Results, system: System, baseline: str) -> float | None:
    """Return how far a system's mean `sdr` lies above a baseline's, in dB; None where either is unknown."""
    score, floor = results.score("sdr", system.name), results.score("sdr", baseline)
    return None if score is None or floor is None else score - floor
