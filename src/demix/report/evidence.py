"""The evidence beside the scores: controls, context, repetition, bands and levels, attention."""

from collections.abc import Callable

from demix.report.attended import attention_part
from demix.report.context import context_part
from demix.report.controls import controls_part
from demix.report.looped import loops_plots
from demix.report.part import Part
from demix.report.places import places_part
from demix.report.repeated import repetition_plots
from demix.report.results import Results


def evidence(results: Results) -> list[Part]:
    """Return the parts that a results folder holds; what was not measured is absent.

    Raises:
        DemixError: when one of their files is malformed.
    """
    makers: tuple[Callable[[Results], Part | None], ...] = (
        controls_part,
        context_part,
        repetition_part,
        places_part,
        attention_part,
    )
    return [part for make in makers if (part := make(results)) is not None]


def repetition_part(results: Results) -> Part | None:
    """Return the section on repetition; None where nothing of it was measured.

    Raises:
        DemixError: when a file of it is malformed.
    """
    plots = (*repetition_plots(results), *loops_plots(results))
    if not plots:
        return None
    intro = (
        "<p>The hypothesis: a drum loop repeats through the song, so global attention should separate it better. It "
        "predicts that the ViT’s lead grows with repetition and that the U-Net’s score does not depend on it. Two "
        "looks: how repetitive the stems of real songs are, which comes mixed with everything else about them; and "
        "songs made "
        "to differ in nothing but the order of their drum hits.</p>"
    )
    return Part("repetition", "Repetition", intro, plots)
