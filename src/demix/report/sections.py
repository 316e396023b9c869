"""The sections of the page, in the order in which a reader asks."""

import json
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from demix.report.blind import blind_part
from demix.report.colours import mark
from demix.report.evidence import evidence
from demix.report.figure import Plot, to_gallery
from demix.report.limits import said, unsaid
from demix.report.listen import draw_player
from demix.report.part import to_body
from demix.report.plots import difference_plots, score_plots
from demix.report.plots_cost import cost_plots
from demix.report.plots_published import published_plots
from demix.report.plots_songs import song_plots
from demix.report.plots_training import curve_plots
from demix.report.protocol import protocol_of, rule_text
from demix.report.read import read_controls
from demix.report.results import Results, System
from demix.report.rows import METRIC_NOTES, cost_table, difference_table, published_table, score_table, silence_table
from demix.report.rows_spread import spread_tables
from demix.report.spectra import MASK_COLOURS, RANGE_DB, SPECTRUM_COLOURS, draw_spectra, ramp
from demix.report.tables import to_html
from demix.report.verdict import difference_in_words, doubt
from demix.report.words import count, glue

MOST_NAMES = 12  # more songs than these are counted, not named


class Section(NamedTuple):
    """A part of the page: its heading, its HTML, and the figures in it."""

    title: str
    body: str
    plots: tuple[Plot, ...] = ()


def sections(results: Results) -> dict[str, Section]:
    """Return every section of the page by the id that it is linked by."""
    page = {
        "meaning": Section("What the numbers say", _meaning(results)),
        "listen": Section("Listen", _listen(results)),
    }
    if blind := blind_part(results):
        page[blind.key] = Section(blind.title, to_body(blind, str(results.facts["name"])))
    page |= drawn(results)
    page["spectra"] = Section("Masks", _spectra(results))
    page["made"] = Section("How this was made", _made(results))
    return page


def drawn(results: Results) -> dict[str, Section]:
    """Return the sections that have figures; nothing else is drawn or encoded for them."""
    page = {"scores": _scores(results)}
    if results.difference("sdr"):
        page["difference"] = _difference(results)
    if results.histories:
        page["training"] = _training(results)
    if results.nets:
        page["cost"] = _cost(results)
    for part in evidence(results):
        page[part.key] = Section(part.title, to_body(part, str(results.facts["name"])), part.plots)
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
        "the other net.{_heard(results)} With the keyboard: arrow keys move between nets and stems, space plays. "
        "(MP3 here; the same as FLAC in <a href='excerpt/'>excerpt/</a>.)</p>" + draw_player(results)
    )


def _heard(results: Results) -> str:
    if results.seeds == 1:
        return ""
    return " You hear each net’s first seed; the numbers are means over all its seeds and all songs."


def _scores(results: Results) -> Section:
    plots, published = score_plots(results), published_plots()
    tables = [to_html(score_table(results, metric)) for metric in METRIC_NOTES]
    if results.silences:
        tables.append(to_html(silence_table(results)))
    body = (
        "<p>Two definitions, never comparable with each other: <code>sdr</code> is the MDX challenge’s uSDR, over the "
        "whole song; <code>sdr_bsseval</code> is museval v4’s, as in SiSEC 2018 (cSDR), the median of single seconds. "
        "The mixture as estimate is the floor, the oracle mask, made from the true stems, the ceiling of masking."
        f"{_pooled(results)}</p>{_legend(results.systems)}{_gallery(plots, results)}{''.join(tables)}"
        "<details><summary>Published scores, on MUSDB18 test: not measured here, not comparable with the rows above"
        f"</summary>{to_html(published_table())}{_gallery(published, results)}</details>"
    )
    return Section("Scores", body, (*plots, *published))


def _difference(results: Results) -> Section:
    plots = [*difference_plots(results), *song_plots(results)]
    main = results.difference("sdr")
    words = f" {escape(difference_in_words(results, main))}." if main else ""
    spread = "".join(to_html(table) for table in spread_tables(results))
    body = (
        f"<p>Both nets are scored on the same music, so their difference is taken moment by moment.{words} A filled "
        "sign: the interval excludes zero. A hollow one: the numbers cannot tell.</p>"
        f"{_gallery(plots, results)}{spread}"
        f"<details><summary>The differences as a table</summary>{to_html(difference_table(results))}</details>"
    )
    return Section("The difference", body, tuple(plots))


def _training(results: Results) -> Section:
    nets, plots = [net for net in results.nets if net.name in results.histories], curve_plots(results)
    band = " Line: the mean over the seeds; band: lowest to highest of them." if results.seeds > 1 else ""
    body = (
        f"<p>Loss: {'its running mean' if band else 'as written down thin, its running mean bold'}. Validation sdr: "
        "the mean over the stems of the validation songs, which nothing is trained on; it chose the weights that were "
        f"scored.{band} Every step is in <code>history-*.csv</code> beside this page.</p>{_legend(nets)}"
        f"{_gallery(plots, results)}"
    )
    return Section("Training", body, tuple(plots))


def _cost(results: Results) -> Section:
    plots = cost_plots(results, read_controls(results))
    open_ = " Which net is better is open: the heights are what was scored, not a verdict." if doubt(results) else ""
    body = (
        "<p>A net that stands higher and nearer the cheap side is better in both; where none does, it depends on what "
        f"is scarce.{open_} What time and speed are depends on the machine.</p>{_legend(results.nets)}"
        f"{_gallery(plots, results)}{to_html(cost_table(results))}"
    )
    return Section("Cost", body, tuple(plots))


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
    return f"{_rule(results)}<dl>{listing}</dl>{configs}"


def _rule(results: Results) -> str:
    protocol = protocol_of(results)
    if protocol is None:
        return ""
    return (
        f"<h3>The rule</h3><p>Laid down before the numbers, in the protocol “{escape(protocol.name)}”: "
        f"{escape(glue(rule_text(protocol)))}</p><details><summary>The protocol</summary>"
        f"<pre tabindex='0'>{escape(protocol.text)}</pre></details>"
    )


def _songs(dataset: str, names: Sequence[str], minutes: float | None = None) -> str:
    songs = ", ".join(names) if len(names) <= MOST_NAMES else count(len(names), "song")
    length = f" ({minutes:.1f} minutes)" if minutes else ""
    return escape(f"{dataset}: {songs or 'none'}{length}" if dataset else f"{songs or 'none'}{length}")


def _gallery(plots: Sequence[Plot], results: Results) -> str:
    return to_gallery(plots, str(results.facts["name"]))


def _pooled(results: Results) -> str:
    if results.seeds == 1:
        return ""
    return f" Every net was trained with {results.seeds} seeds: per song the mean over these, then over the songs."


def _legend(systems: Sequence[System]) -> str:
    items = "".join(f"<li>{mark(system.colour)}{escape(system.label)}</li>" for system in systems)
    return f'<ul class="legend">{items}</ul>'
