"""Blind listening: can the two nets be told apart by ear? A/B/X trials on the excerpt that the page holds.

The page's script shuffles which net is A and which X is, and says so only after the vote. A louder sound is easily
taken for a better one, so both are played at the level of the quieter.
"""

import json
from collections.abc import Sequence
from html import escape

import numpy as np

from demix.config import STEMS
from demix.report.listen import read_sound
from demix.report.part import Part
from demix.report.results import Results, System
from demix.report.words import decibels

TRIALS = (8, 12, 16, 24)
PLANNED = 12
SILENT_RMS = 1e-3  # -60 dBFS: nothing to compare


def blind_part(results: Results) -> Part | None:
    """Return the section with the blind trials; None without an excerpt of two nets.

    Raises:
        DemixError: when a file of the excerpt is not audio.
    """
    nets = results.nets[:2]
    gains = {stem: found for stem in STEMS if (found := matching_gains(results, nets, stem)) is not None}
    if not gains:
        return None
    most = max(abs(20 * np.log10(first / second)) for first, second in gains.values())
    first, second = (escape(net.label) for net in nets)
    intro = (
        f"<p>One of A and B is the {first}, the other the {second}, shuffled anew for every trial; X is one of the "
        "two. Listen, say which X is, and see after the vote whether you were right. Both play at equal loudness: "
        "equal "
        f"root mean square over the excerpt, the louder one turned down (by {decibels(most, digits=1)} dB at most). "
        "Choose the number of trials first: the chance of guessing so well is only told when all are done, because who "
        "stops while it looks good always finds a difference. Keys: A, B and X play, 1 votes “X is A”, 2 votes “X is "
        "B”. Votes stay in this browser.</p>"
    )
    return Part("blind", "Listen blind", intro, (), _box(results, nets, gains))


def matching_gains(results: Results, nets: Sequence[System], stem: str) -> tuple[float, float] | None:
    """Return the factors, at most 1, that make both nets' excerpts of a stem equally loud (root mean square).

    None where an excerpt is missing or one of the two is silent.
    """
    levels = []
    for net in nets:
        path = results.folder / "excerpt" / f"{net.first_run}-{stem}.flac"
        if path.is_file():
            wave, _ = read_sound(path)
            levels.append(float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))))
    if len(levels) < 2 or min(levels) < SILENT_RMS:
        return None
    return min(levels) / levels[0], min(levels) / levels[1]


def _box(results: Results, nets: Sequence[System], gains: dict[str, tuple[float, float]]) -> str:
    about = {
        "store": f"demix-abx {results.facts['name']} {results.facts['created']}",
        "file": f"abx-{results.facts['name']}.csv",
        "systems": [net.name for net in nets],
        "labels": {net.name: net.label for net in nets},
        "gains": {
            stem: {net.name: round(gain, 6) for net, gain in zip(nets, pair, strict=True)}
            for stem, pair in gains.items()
        },
    }
    stems = "".join(f'<option value="{stem}">{stem}</option>' for stem in gains)
    trials = "".join(f"<option{' selected' if count == PLANNED else ''}>{count}</option>" for count in TRIALS)
    listen = "".join(
        f'<button type="button" data-play="{key}" aria-pressed="false">{key.upper()}</button>' for key in "abx"
    )
    votes = "".join(f'<button type="button" data-vote="{key}">X is {key.upper()}</button>' for key in "ab")
    return (
        f'<div class="abx" data-about="{escape(json.dumps(about))}">\n'
        f'<form class="bar"><label>Stem <select name="stem">{stems}</select></label>'
        f'<label>Trials <select name="planned">{trials}</select></label>'
        '<button type="submit">Begin a round</button></form>\n'
        '<div class="trial" hidden><p class="count" tabindex="-1"></p>'
        f'<div class="bar" role="group" aria-label="Listen">{listen}'
        '<button type="button" class="stop">Stop</button></div>'
        f'<div class="bar" role="group" aria-label="Vote">{votes}'
        '<button type="button" class="next" hidden>Next trial</button></div></div>\n<p class="reveal" '
        'role="status"></p>\n'
        '<div class="votes" hidden><div class="scroll" tabindex="0" role="region" aria-label="Your rounds"><table>'
        "<caption><b>Your rounds</b><span>p: how often guessing alone gets as many right or more (binomial, "
        "one-sided). "
        "Each round stands for itself.</span></caption>"
        '<thead><tr><th scope="col">begun</th><th scope="col">stem</th><th scope="col">right</th><th scope="col">p</th>'
        '<th scope="col">finding</th></tr></thead><tbody></tbody></table></div>'
        '<div class="bar"><button type="button" class="export">Export the votes as CSV</button>'
        '<button type="button" class="clear">Clear the votes</button></div></div>\n'
        "<noscript><p>The blind trials need JavaScript.</p></noscript></div>"
    )
