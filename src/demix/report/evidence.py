"""The evidence beside the scores: controls, context, repetition, bands and levels, attention, blind listening."""

from collections.abc import Sequence

from demix.report.attended import attention_part
from demix.report.blind import blind_part
from demix.report.context import context_part
from demix.report.controls import controls_part
from demix.report.figure import Plot
from demix.report.looped import loops_plots
from demix.report.part import Part, to_section
from demix.report.places import places_part
from demix.report.repeated import repetition_plots
from demix.report.results import Results

PARTS = (controls_part, context_part, lambda results: repetition_part(results), places_part, attention_part, blind_part)


def evidence(results: Results) -> list[Part]:
    """Return the parts that a results folder holds; what was not measured is absent.

    Raises:
        DemixError: when one of their files is malformed.
    """
    return [part for make in PARTS if (part := make(results)) is not None]


def evidence_sections(results: Results, parts: Sequence[Part] | None = None) -> dict[str, tuple[str, str]]:
    """Return the evidence's sections as `id -> (title, HTML)`; `parts` saves drawing them twice."""
    found = evidence(results) if parts is None else parts
    return {part.key: to_section(part, str(results.facts["name"])) for part in found}


def evidence_plots(results: Results, parts: Sequence[Part] | None = None) -> list[Plot]:
    """Return the evidence's figures, in the order of the page."""
    return [plot for part in (evidence(results) if parts is None else parts) for plot in part.plots]


def repetition_part(results: Results) -> Part | None:
    """Return the section on repetition; None where nothing of it was measured."""
    plots = (*repetition_plots(results), *loops_plots(results))
    if not plots:
        return None
    intro = (
        "<p>The hypothesis: a drum loop repeats through the song, so global attention should separate it better. It "
        "predicts that the ViT’s lead grows with repetition and that the U-Net’s score does not depend on it. Two looks: "
        "how repetitive the stems of real songs are, which comes mixed with everything else about them; and songs made "
        "to differ in nothing but the order of their drum hits.</p>"
    )
    return Part("repetition", "Repetition", intro, plots)
