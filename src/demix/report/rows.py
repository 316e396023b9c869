"""The report's tables: scores, differences, silent stems, cost, and published scores for orientation."""

from demix.report.results import METRICS, Results, System, excludes_zero, resampled
from demix.report.tables import Row, Table
from demix.report.verdict import better
from demix.report.words import count, decibels, duration, interval

METRIC_NOTES = {
    "sdr": "MDX uSDR: over the whole song and both channels; mean over songs. dB, higher is better.",
    "sdr_bsseval": "museval v4, SiSEC cSDR: median over seconds, then over songs. dB, higher is better.",
}

# sdr_bsseval on the 50 test songs of MUSDB18, in dB: SiSEC 2018's result files; Spleeter issue 670; the papers.
PUBLISHED = (
    ("Mixture", 1.12, 1.33, 0.67, 1.16),
    ("Wave-U-Net (STL2)", 3.25, 4.22, 3.21, 2.25),
    ("Spleeter's U-Net, trained on MUSDB18 only", 4.67, 4.50, 3.89, 3.18),
    ("Open-Unmix", 6.32, 5.73, 5.23, 4.02),
    ("MMDenseLSTM (TAK1)", 6.60, 6.43, 5.16, 4.15),
    ("Hybrid Demucs", 8.35, 8.12, 8.43, 5.65),
    ("BS-RoFormer (L=6)", 10.66, 9.49, 11.31, 7.73),
    ("Oracle ratio mask (IRM2)", 9.43, 8.45, 7.12, 7.85),
)


def score_table(results: Results, metric: str) -> Table:
    """Return one SDR of every system, per stem and on average."""
    note = METRIC_NOTES[metric]
    if metric == "sdr_bsseval" and results.counted_seconds:
        counted = sorted(set(results.counted_seconds.values()))
        note += (
            f" A second counts only where no reference and no estimate is silent: {' to '.join(map(str, counted))} of "
            f"{results.test_seconds:.0f}."
        )
    rows = [
        Row(
            (
                system.label,
                *(decibels(results.score(metric, system.name, stem)) for stem in (*results.stems, "mean")),
            ),
            colour=system.colour,
            strong=system.is_net,
        )
        for system in results.systems
    ]
    songs = count(len(results.test_songs), results.song_kind)
    return Table(f"{metric} on {songs}", ("system", *results.stems, "mean"), tuple(rows), note)


def difference_table(results: Results) -> Table:
    """Return the paired differences with their intervals, both SDRs."""
    first, second = results.nets[:2]
    rows = [
        Row(
            (
                f"{metric}, {row.stem}",
                decibels(row.difference_db, signed=True),
                interval(row.low_db, row.high_db),
                resampled(row),
                f"{row.wins} of {row.songs}",
                better(results, row).label if excludes_zero(row) else "cannot tell",
            ),
            strong=row.stem == "mean",
        )
        for metric in METRICS
        for row in results.comparisons(metric)
    ]
    return Table(
        f"Paired difference {second.label} − {first.label}, dB",
        (
            "SDR and stem",
            "difference",
            "95 % interval",
            "resampled",
            f"songs won by {second.label}",
            "better",
        ),
        tuple(rows),
        f"Mean over songs, with a bootstrap interval. Positive: the {second.label} is better. An interval that "
        "includes zero decides nothing.",
    )


def cost_table(results: Results) -> Table:
    """Return what each net costs: size, computing, memory where it was measured, time."""
    memory = any(net.number("step_mib") is not None for net in results.nets)
    rows = [
        Row(
            (
                net.label,
                _number(net, "parameters", "{:,.0f}"),
                _number(net, "gflops_per_second", "{:.2f}"),
                *([_number(net, "step_mib", "{:,.0f}")] if memory else []),
                _number(net, "steps", "{:,.0f}"),
                _number(net, "batch_size", "{:.0f}"),
                _number(net, "segment_seconds", "{:g} s"),
                "–" if net.number("training_seconds") is None else duration(net.number("training_seconds") or 0.0),
                _number(net, "realtime_factor", "{:.1f} s"),
            ),
            colour=net.colour,
            strong=True,
        )
        for net in results.nets
    ]
    columns = (
        "net",
        "parameters",
        "GFLOPs",
        *(["step, MiB"] if memory else []),
        "steps",
        "batch",
        "segment",
        "training time",
        "music per second",
    )
    machine = results.facts.get("machine", {})
    place = f" on {machine['cores']} cores of {machine['cpu']}" if {"cpu", "cores"} <= set(machine) else ""
    note = f"GFLOPs: forward pass of one second of stereo music. Music per second: separated from start to end{place}."
    note += f" Times are means over {count(results.seeds, 'seed')}." if results.seeds > 1 else ""
    return Table("What each net costs", columns, tuple(rows), note)


def silence_table(results: Results) -> Table:
    """Return the stems that have no score because the song does not have them, with the estimates' levels."""
    labels = {system.name: system for system in results.systems}
    rows = [
        Row(
            (
                labels[silence.system].label,
                silence.track,
                silence.stem,
                decibels(silence.level_dbfs, digits=1),
            ),
            colour=labels[silence.system].colour,
            strong=labels[silence.system].is_net,
        )
        for silence in results.silences
        if silence.system in labels
    ]
    return Table(
        "Stems that are silent over a whole song",
        ("system", "song", "stem", "level, dBFS"),
        tuple(rows),
        "They have no SDR and enter no mean. The level (rms) is of what the system puts there: lower is better.",
    )


def published_table() -> Table:
    """Return published scores, for orientation only."""
    rows = [
        Row((name, *(decibels(value) for value in values), decibels(sum(values) / len(values))))
        for name, *values in PUBLISHED
    ]
    return Table(
        "sdr_bsseval of published systems",
        ("system", "vocals", "drums", "bass", "other", "mean"),
        tuple(rows),
        "Published, on MUSDB18 test, not measured here, not comparable with the rows above.",
    )


def _number(net: System, key: str, form: str) -> str:
    value = net.number(key)
    return "–" if value is None else form.format(value)
