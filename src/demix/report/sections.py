"""The sections of the page, in the order in which a reader asks."""

import json
from collections.abc import Sequence
from html import escape

from demix.report.colours import mark
from demix.report.findings import curve_title, difference_title, score_title
from demix.report.limits import said, unsaid
from demix.report.listen import draw_player
from demix.report.plots import draw_curves, draw_differences, draw_scores
from demix.report.results import METRICS, Results, System
from demix.report.rows import cost_table, difference_table, published_table, score_table, silence_table
from demix.report.spectra import MASK_COLOURS, RANGE_DB, SPECTRUM_COLOURS, draw_spectra, ramp
from demix.report.tables import to_html
from demix.report.verdict import difference_in_words
from demix.report.words import count, decibels, glue, interval

CURVES = (("loss", "step"), ("loss", "seconds"), ("valid_sdr", "step"), ("valid_sdr", "seconds"))
MOST_NAMES = 12  # more songs than these are counted, not named


def key_figures(results: Results) -> str:
    """Write the few numbers that stand under the headline."""
    items = [
        (
            mark(net.colour) + escape(net.label),
            decibels(results.score("sdr", net.name)) + " dB",
            "mean sdr over the stems",
        )
        for net in results.nets
    ]
    difference = results.difference("sdr")
    if difference is not None:
        first, second = results.nets[:2]
        label = f"{escape(second.label)} − {escape(first.label)}"
        span = interval(difference.low_db, difference.high_db)
        items.append((label, decibels(difference.difference_db, signed=True) + " dB", f"95 % interval {span}"))
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


def sections(results: Results) -> dict[str, tuple[str, str]]:
    """Return every section of the page as `id -> (title, HTML)`."""
    page = {
        "meaning": ("What the numbers say", _meaning(results)),
        "listen": ("Listen", _listen(results)),
        "scores": ("Scores", _scores(results)),
    }
    if results.difference("sdr"):
        page["difference"] = ("The difference", _difference(results))
    if results.histories:
        page["training"] = ("Training", _training(results))
    page["spectra"] = ("Masks", _spectra(results))
    page["made"] = ("How this was made", _made(results))
    return page


def _meaning(results: Results) -> str:
    lists = []
    for title, points in (("They say", said(results)), ("They do not say", unsaid(results))):
        items = "".join(f"<li><b>{escape(lead)}</b> {escape(glue(text))}</li>" for lead, text in points)
        lists.append(f'<div class="prose"><h3>{title}</h3><ul>{items}</ul></div>')
    return f'<div class="split">{"".join(lists)}</div>'


def _listen(results: Results) -> str:
    excerpt = results.facts.get("excerpt") or {}
    start = float(excerpt.get("start_seconds", 0))
    place = (
        f"{excerpt['seconds']:g} seconds of {escape(str(excerpt['track']))}, from {start:g} s on. " if excerpt else ""
    )
    return (
        f"<p>{place}One stem plays at a time, and switching keeps the position, so that you hear the same moment from "
        "the other net. With the keyboard: arrow keys move between nets and stems, space plays. "
        "(MP3 here; the same as FLAC in <a href='excerpt/'>excerpt/</a>.)</p>" + draw_player(results)
    )


def _scores(results: Results) -> str:
    figures = [
        _figure(score_title(results, metric), draw_scores(results, metric), [("scores.csv", "scores.csv")])
        for metric in METRICS
    ]
    tables = [to_html(score_table(results, metric)) for metric in METRICS]
    if results.silences:
        tables.append(to_html(silence_table(results)))
    published = to_html(published_table())
    return (
        "<p>Two definitions, never comparable with each other: <code>sdr</code> is the MDX challenge’s uSDR, over the "
        "whole song; <code>sdr_bsseval</code> is museval v4’s, as in SiSEC 2018 (cSDR), the median of single seconds. "
        "The mixture as estimate is the floor, the oracle mask, made from the true stems, the ceiling of masking.</p>"
        f'{_legend(results.systems)}<div class="plots">{"".join(figures)}</div>{"".join(tables)}'
        "<details><summary>Published scores, on MUSDB18 test: not measured here, not comparable with the rows above"
        f"</summary>{published}</details>"
    )


def _difference(results: Results) -> str:
    figures = []
    for metric in METRICS:
        if results.comparisons(metric):
            plot = draw_differences(results, metric)
            figures.append(_figure(difference_title(results, metric), plot, [("seconds.csv", "seconds.csv")]))
    main = results.difference("sdr")
    words = f" {escape(difference_in_words(results, main))}." if main else ""
    return (
        f"<p>Both nets are scored on the same music, so their difference is taken moment by moment.{words} A filled "
        "sign: the interval excludes zero. A hollow one: the numbers cannot tell.</p>"
        f'<div class="plots">{"".join(figures)}</div>'
        f"<details><summary>The differences as a table</summary>{to_html(difference_table(results))}</details>"
    )


def _training(results: Results) -> str:
    nets = [net for net in results.nets if net.name in results.histories]
    files = [(f"history-{net.name}.csv", net.label) for net in nets]
    figures = []
    for quantity, against in CURVES:
        title = curve_title(results, nets, quantity, against)
        plot = draw_curves(nets, results.histories, quantity, against, f"{title}. {quantity} against {against}.")
        figures.append(_figure(title, plot, files))
    return (
        "<p>Loss: as written down thin, its running mean bold. Validation sdr: the mean over the stems of the "
        "validation songs, which nothing is trained on; it chose the weights that were scored.</p>"
        f'{_legend(nets)}<div class="plots">{"".join(figures)}</div>{to_html(cost_table(results))}'
    )


def _spectra(results: Results) -> str:
    return (
        f"<p>The same excerpt. Above, magnitude over {RANGE_DB:g} dB: {ramp('quiet', SPECTRUM_COLOURS, 'loud')}; "
        "frequency in Hz on a mel-like axis. Below, the share of the mixture that goes to the stem: "
        f"{ramp('0', MASK_COLOURS, '1')}. A net sees only the mixture; the oracle mask is made from the true stems. "
        "Data: <a href='excerpt/masks.npz'>masks.npz</a>.</p>" + draw_spectra(results)
    )


def _made(results: Results) -> str:
    facts, data = results.facts, results.facts["dataset"]
    machine = ", ".join(f"{key} {value}" for key, value in facts.get("machine", {}).items())
    entries = {
        "Command": f"<code>{escape(str(facts.get('command', 'unknown')))}</code>",
        "Version": escape(f"demix {facts.get('version', '?')}, commit {facts.get('commit') or 'unknown'}"),
        "Machine": escape(machine or "unknown"),
        "Trained on": _songs(data.get("root_label", ""), data.get("train", []), data["train_minutes"]),
        "Weights chosen on": _songs("", data.get("valid", [])),
        "Tested on": _songs(data["name"], data["test"], data["test_minutes"]),
        "Licence": escape(str(data.get("licence") or "not recorded")),
    }
    listing = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in entries.items())
    configs = "".join(
        f"<details><summary>Configuration of the {escape(net.label)}</summary><pre tabindex='0'>"
        f"{escape(json.dumps(net.facts.get('config', {}), indent=2))}</pre></details>"
        for net in results.nets
    )
    return f"<dl>{listing}</dl>{configs}"


def _songs(dataset: str, names: Sequence[str], minutes: float | None = None) -> str:
    songs = ", ".join(names) if len(names) <= MOST_NAMES else count(len(names), "song")
    length = f" ({minutes:.1f} minutes)" if minutes else ""
    return escape(f"{dataset}: {songs or 'none'}{length}" if dataset else f"{songs or 'none'}{length}")


def _figure(title: str, plot: str, files: Sequence[tuple[str, str]]) -> str:
    links = ", ".join(f'<a href="{escape(path)}">{escape(label)}</a>' for path, label in files)
    return f"<figure><figcaption><h3>{escape(glue(title))}</h3><p>Data: {links}</p></figcaption>{plot}</figure>"


def _legend(systems: Sequence[System]) -> str:
    items = "".join(f"<li>{mark(system.colour)}{escape(system.label)}</li>" for system in systems)
    return f'<ul class="legend">{items}</ul>'
