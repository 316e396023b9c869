"""What the numbers say and what they do not: points that follow from the facts of the run."""

from typing import NamedTuple

from demix.report.protocol import wanted_in_full
from demix.report.results import Results, System, excludes_zero
from demix.report.verdict import FEW_SONGS, better, doubt, gap, is_small, ruling_of, training_music
from demix.report.words import count, decibels, duration, interval, join

# A validation curve that gained this much in its last quarter was not done.
STILL_RISING_DB = 0.1
# With fewer seconds than this the median of sdr_bsseval hangs on single moments.
FEW_SECONDS = 30


class Point(NamedTuple):
    """One thing said: a lead that stands alone, and what is behind it."""

    lead: str
    text: str


def said(results: Results) -> list[Point]:
    """Return what the numbers show."""
    points = [_learned(results, net) for net in results.nets]
    points += _way_to_the_oracle(results)
    points += _difference(results)
    points += _stem_by_stem(results)
    points += _other_metric(results)
    points += _equal_terms(results)
    return points


def unsaid(results: Results) -> list[Point]:
    """Return what the numbers do not show, however they look."""
    points = []
    if results.nets:
        points += _architectures(results)
        points.append(_songs(results))
        points.append(_seeds(results))
        points += [point for net in results.nets for point in _still_rising(results, net)]
        points += _unequal_cost(results)
    points += _few_seconds(results)
    points.append(_published(results))
    return points


def _learned(results: Results, net: System) -> Point:
    names = {
        "mixture": "the mixture as estimate (the floor)",
        "equal": "equal masks",
        "hpss": "HPSS, which learns nothing",
    }
    gains = {name: gain for name in names if (gain := gap(results, net, name)) is not None}
    texts = [
        f"{decibels(abs(gain), digits=1)} dB {'above' if gain >= 0 else 'below'} {names[name]}"
        for name, gain in gains.items()
    ]
    learned = bool(gains) and all(gain > 0 for gain in gains.values())
    lead = "has learned to separate" if learned else "does not beat every rule that learns nothing"
    return Point(f"The {net.label} {lead}.", f"It is {join(texts)}." if texts else "")


def _way_to_the_oracle(results: Results) -> list[Point]:
    start, end = results.score("sdr", "equal"), results.score("sdr", "oracle")
    scores = {net.label: score for net in results.nets if (score := results.score("sdr", net.name)) is not None}
    if start is None or end is None or not scores or end <= start:
        return []
    ways = [f"{label} {100 * (score - start) / (end - start):.0f} %" for label, score in scores.items()]
    return [
        Point(
            f"Of the way to the ceiling: {join(ways)}.",
            f"Equal masks, the answer of a net that knows nothing, score {decibels(start, digits=1)} dB; the oracle "
            f"mask scores {decibels(end, digits=1)} dB.",
        )
    ]


def _difference(results: Results) -> list[Point]:
    difference = results.difference("sdr")
    if difference is None:
        return []
    why, ahead = doubt(results), better(results, difference)
    span = interval(difference.low_db, difference.high_db)
    if why is None:
        text = f"The 95 % interval of the difference, {span} dB, excludes zero."
        return [Point(f"Here the {ahead.label} is ahead by {decibels(abs(difference.difference_db))} dB.", text)]
    ruled = ruling_of(results)
    more = f" {wanted_in_full(results, *ruled)}" if ruled else ""
    return [Point("Which net is better cannot be told.", f"It is a result, too: {why}.{more}")]


def _stem_by_stem(results: Results) -> list[Point]:
    sides: dict[str, list[str]] = {}
    for row in results.comparisons("sdr"):
        if row.stem != "mean":
            side = f"{better(results, row).label} ahead on" if excludes_zero(row) else "open for"
            sides.setdefault(side, []).append(row.stem)
    if not sides:
        return []
    return [Point("Stem by stem:", "; ".join(f"{side} {join(stems)}" for side, stems in sides.items()) + ".")]


def _other_metric(results: Results) -> list[Point]:
    main, other = results.difference("sdr"), results.difference("sdr_bsseval")
    if main is None or other is None:
        return []
    if not excludes_zero(other):
        return [Point("By sdr_bsseval it is open.", "Its interval of the difference includes zero.")]
    agrees = "agrees" if main.difference_db * other.difference_db > 0 else "disagrees"
    return [Point(f"sdr_bsseval {agrees}", "on which net is ahead.")]


def _equal_terms(results: Results) -> list[Point]:
    terms = {tuple(net.number(key) for key in ("steps", "batch_size", "segment_seconds")) for net in results.nets}
    if len(results.nets) < 2 or len(terms) > 1 or None in next(iter(terms)):
        return []
    steps, batch, seconds = next(iter(terms))
    return [Point("The nets saw equally much music:", f"{steps:,.0f} steps of {batch:.0f} segments of {seconds:g} s.")]


def _architectures(results: Results) -> list[Point]:
    if not is_small(results):
        return []
    trained = max(net.number("training_seconds") or 0.0 for net in results.nets)
    text = (
        f"Training took {duration(trained)} at most, on {training_music(results)}. Published comparisons train for "
        "hours to days on ten hours of it, and nets change places on the way."
    )
    return [Point("Which architecture is better.", text)]


def _songs(results: Results) -> Point:
    songs, artists = len(results.test_songs), results.facts["dataset"].get("artists", [])
    by = f" by one artist, {artists[0]}, who also made the training songs" if len(artists) == 1 else ""
    text = f"The test is {count(songs, 'song')}{by}: {duration(results.test_seconds)} in all."
    difference = results.difference("sdr")
    if difference is not None and difference.unit == "blocks":
        text += " The interval speaks about other moments of this music, not about other songs."
    elif songs < FEW_SONGS:
        text += " Songs differ more than nets do."
    return Point("How it is on other music.", text)


def _seeds(results: Results) -> Point:
    times = "once" if results.seeds == 1 else f"with {results.seeds} seeds"
    text = f"Every net was trained {times}; another seed is known to move a net by 0.1 to 0.3 dB."
    spans = [(net, _span(results, net)) for net in results.nets if net.seeds > 1]
    if spans:
        text += (
            f" Here the seeds lie {join([f'{decibels(span)} dB apart for the {net.label}' for net, span in spans])}."
        )
    return Point("What chance did in training.", text)


def _span(results: Results, net: System) -> float:
    """Return how far the best and the worst training of a net lie apart, in dB."""
    scores = [results.run_scores["sdr"].get(run, {}).get("mean", float("nan")) for run in net.runs]
    return max(scores) - min(scores)


def _still_rising(results: Results, net: System) -> list[Point]:
    rises = [rise for history in results.histories.get(net.name, ()) if (rise := history.rise_db()) is not None]
    rise = sum(rises) / len(rises) if rises else 0.0
    if rise < STILL_RISING_DB:
        return []
    text = f"Its validation sdr still rose by {decibels(rise, digits=1)} dB in the last quarter of the training."
    return [Point(f"Where the {net.label} would end.", text)]


def _unequal_cost(results: Results) -> list[Point]:
    names = {"parameters": "parameters", "gflops_per_second": "FLOPs", "training_seconds": "training time"}
    ratios = []
    for key, noun in names.items() if len(results.nets) > 1 else ():
        first, second = (net.number(key) for net in results.nets[:2])
        if first and second and not 0.95 <= second / first <= 1.05:
            ratios.append(f"{second / first:.2g} times the {noun}")
    if not ratios:
        return []
    first_net, second_net = results.nets[:2]
    return [Point("What equal cost buys.", f"The {second_net.label} took {join(ratios)} of the {first_net.label}.")]


def _few_seconds(results: Results) -> list[Point]:
    counted = min(results.counted_seconds.values(), default=0)
    if not 0 < counted < max(FEW_SECONDS, 0.5 * results.test_seconds):
        return []
    text = (
        f"Only {counted} of {results.test_seconds:.0f} seconds enter it: a second counts when no stem is silent in it, "
        "and a stem that is almost silent there makes its value very low."
    )
    return [Point("Much about sdr_bsseval.", text)]


def _published(results: Results) -> Point:
    lead = "How the nets stand beside published scores."
    if str(results.facts["dataset"]["name"]).startswith("musdb18"):
        return Point(lead, "Those come from other sizes, budgets and training data.")
    return Point(lead, "Those are on the test songs of MUSDB18; these are not.")
