"""How far chance reaches: the seeds one by one, and what songs and seeds add to the spread of the difference."""

import math

from demix.evaluation.statistics import Difference
from demix.report.results import METRICS, Results
from demix.report.tables import Row, Table
from demix.report.words import count, decibels


def spread_tables(results: Results) -> list[Table]:
    """Return the tables of seeds and of the spread, those of them that there is something to put into."""
    paired = results.seeds > 1 and results.nets[0].seeds == results.nets[1].seeds
    tables = [seed_table(results)] if paired else []
    rows = [row for metric in METRICS if (row := results.difference(metric)) is not None]
    known = [row for row in rows if any(not math.isnan(value) for value in _parts(row))]
    return [*tables, component_table(known)] if known else tables


def seed_table(results: Results) -> Table:
    """Return the mean `sdr` of every training of the two nets, and their differences seed by seed."""
    first, second = results.nets[:2]
    of_runs = results.run_scores["sdr"]
    rows = []
    for number, runs in enumerate(zip(first.runs, second.runs, strict=True), start=1):
        low, high = (of_runs.get(run, {}).get("mean", math.nan) for run in runs)
        rows.append(Row((f"pair {number}", decibels(low), decibels(high), decibels(high - low, signed=True))))
    means = [results.score("sdr", net.name) for net in (first, second)]
    difference = results.difference("sdr")
    gain = decibels(difference.difference_db if difference else None, signed=True)
    rows.append(Row(("mean", *(decibels(mean) for mean in means), gain), strong=True))
    return Table(
        "Seed by seed: mean sdr over the stems, dB",
        ("trainings", first.label, second.label, "difference"),
        tuple(rows),
        "The nets of a pair saw the same batches. A single line is no result: the mean is.",
    )


def component_table(differences: list[Difference]) -> Table:
    """Return the spread of the difference by its causes, and the smallest difference that could be seen."""
    rows = [Row((f"{row.metric}, mean", *(_number(value) for value in _parts(row)), _p(row))) for row in differences]
    one = differences[0]
    return Table(
        "What the difference hangs on",
        ("SDR", "songs, dB", "seeds, dB", "rest, dB", "detectable, dB", "effect size", "Wilcoxon p"),
        tuple(rows),
        "Standard deviations of the paired difference from song to song, from seed to seed, and of what neither "
        "explains. Detectable: the smallest true difference that "
        f"{count(one.songs, 'song')} and {count(one.seeds, 'seed')} show in 80 % of cases"
        f"{' (here: in other moments of the same music)' if one.unit == 'blocks' else ''}. Effect size: mean over "
        "standard deviation over songs. A dash: too few songs or seeds to compute it.",
    )


def _parts(row: Difference) -> tuple[float, ...]:
    return row.song_sd, row.seed_sd, row.rest_sd, row.detectable_db, row.effect_size


def _number(value: float) -> str:
    return "none" if math.isinf(value) else decibels(value)


def _p(row: Difference) -> str:
    return "–" if math.isnan(row.p_value) else f"{row.p_value:.2g}"
