"""The few numbers under the headline."""

from html import escape

from demix.report.colours import mark
from demix.report.protocol import protocol_of, rule, wanted
from demix.report.results import Results, System
from demix.report.words import count, decibels, interval, sentence


def key_figures(results: Results) -> str:
    """Write the few numbers that stand under the headline: what, how much, how sure."""
    items = [
        (
            mark(net.colour) + escape(net.label),
            decibels(results.score("sdr", net.name)) + " dB",
            "mean sdr over the stems" + _of_seeds(net),
        )
        for net in results.nets
    ]
    difference = results.difference("sdr")
    if difference is not None:
        first, second = results.nets[:2]
        label = f"{escape(second.label)} − {escape(first.label)}"
        span = interval(difference.low_db, difference.high_db)
        items.append((label, decibels(difference.difference_db, signed=True) + " dB", f"95 % interval {span}"))
    items += _verdict(results)
    floor, ceiling = results.score("sdr", "mixture"), results.score("sdr", "oracle")
    items.append(
        (
            "Floor and ceiling",
            f"{decibels(floor)} … {decibels(ceiling)} dB",
            "mixture as estimate … oracle mask",
        )
    )
    return "\n".join(
        f'<li><span class="label">{label}</span><b>{value}</b><span>{note}</span></li>' for label, value, note in items
    )


def _of_seeds(net: System) -> str:
    return f", mean of {count(net.seeds, 'seed')}" if net.seeds > 1 else ""


def _verdict(results: Results) -> list[tuple[str, str, str]]:
    protocol = protocol_of(results)
    ruling = rule(results, protocol) if protocol else None
    if protocol is None or ruling is None:
        return []
    label = f"Verdict by the protocol “{escape(protocol.name)}”"
    if ruling.better is not None:
        note = f"at least {protocol.counts_db:g} dB, beyond songs and seeds"
        return [(label, f"{escape(ruling.better.label)} better", note)]
    return [(label, "Cannot tell", sentence(wanted(ruling)))]
