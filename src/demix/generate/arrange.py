"""Who plays in which bar: parts come in with the energy, rest, stop together, and every stem is silent somewhere."""

from collections.abc import Mapping, Sequence

import numpy as np

from demix.generate.events import Bar, chance, pick

# Chance that a part plays in a section of this name; 1 where the name is not listed.
DRUMS = {"intro": 0.65, "break": 0.4, "bridge": 0.85}
BASS = {"intro": 0.6, "break": 0.4, "bridge": 0.92, "build": 0.85}
MACHINE_BASS = {"intro": 0.35, "verse": 0.8, "break": 0.2, "bridge": 0.75, "build": 0.5, "outro": 0.7}
VOCALS = {"intro": 0.04, "solo": 0.0, "break": 0.35, "build": 0.6, "outro": 0.25, "bridge": 0.8}
LEAD = {
    "intro": 0.45,
    "verse": 0.0,
    "chorus": 0.15,
    "bridge": 0.15,
    "solo": 1.0,
    "break": 0.2,
    "build": 0.2,
    "outro": 0.5,
}
MOST = 4  # parts of `other` at one time

Plays = dict[str, list[bool]]


def arrange(
    bars: Sequence[Bar],
    layers: Sequence[str],
    *,
    vocals: bool,
    lead: bool,
    rng: np.random.Generator,
    scarce: float = 0.0,
    bass: Mapping[str, float] = BASS,
) -> Plays:
    """Decide for each part and bar whether it plays.

    Args:
        bars: of the song.
        layers: names of the parts that play chords and riffs; the first carries the song.
        vocals: whether somebody sings.
        lead: whether there is a lead; without vocals it has the melody.
        rng: what draws.
        scarce: energy that sections need beyond the usual for any layer to play.
        bass: chance that the bass plays in a section of this name; 1 where the name is not listed.

    Returns:
        For each of `drums`, `bass`, `vocals`, `lead` that there is and each layer one yes or no a bar.
    """
    enter = {name: 0.0 if not number else float(rng.uniform(0.35, 0.8)) for number, name in enumerate(layers)}
    names = ["drums", "bass", *(["vocals"] if vocals else []), *(["lead"] if lead else []), *layers]
    plays: Plays = {name: [] for name in names}
    for section in range(bars[-1].section + 1):
        inside = [bar for bar in bars if bar.section == section]
        name, energy = inside[0].name, inside[0].energy
        odds: dict[str, float] = {"drums": DRUMS.get(name, 1.0), "bass": bass.get(name, 1.0)}
        odds |= {layer: float(energy >= enter[layer] + scarce) for layer in layers}
        if name == "break":
            odds |= dict.fromkeys(layers, 0.4)
        odds["vocals"] = VOCALS.get(name, 1.0)
        odds["lead"] = (
            LEAD[name] if vocals else max(LEAD[name], {"verse": 1.0, "chorus": 1.0, "bridge": 0.7}.get(name, 0.0))
        )
        here = {part: chance(rng, odds[part]) for part in names}
        if not any(here[part] for part in (*layers, "bass")) and not (name == "break" and here["drums"]):
            here[layers[0]] = True
        late = _entries(here, inside, rng)
        for part in names:
            plays[part] += [here[part] and bar.place >= late.get(part, 0) for bar in inside]
        _limit(plays, layers, len(inside))
    _stop(plays, bars, layers, rng)
    for stem in _stems(plays, layers):
        _rest_somewhere(plays, stem, bars, rng)
    for part in names:  # all that play the bar before the last end on it
        if len(bars) > 1:
            plays[part][-1] = plays[part][-2]
    return plays


def _stems(plays: Mapping[str, list[bool]], layers: Sequence[str]) -> list[list[str]]:
    single = [[name] for name in ("vocals", "drums", "bass") if name in plays]
    return [*single, [*layers, *(["lead"] if "lead" in plays else [])]]


def _entries(here: Mapping[str, bool], inside: Sequence[Bar], rng: np.random.Generator) -> dict[str, int]:
    """In intros and verses parts may come in one after the other: the bar of each."""
    name, length = inside[0].name, len(inside)
    if name not in ("intro", "break", "verse") or not chance(rng, {"intro": 0.55, "break": 0.4, "verse": 0.1}[name]):
        return {}
    playing = [part for part in here if here[part] and part != "vocals"]
    if len(playing) < 2:
        return {}
    order = [playing[number] for number in rng.permutation(len(playing))]
    return {
        part: length // 2 if number > 1 or length < 8 else length // 4 for number, part in enumerate(order) if number
    }


def _limit(plays: Plays, layers: Sequence[str], count: int) -> None:
    """Where the lead makes one part too many, the last layer pauses."""
    if "lead" in plays and len(layers) >= MOST:
        last = plays[layers[-1]]
        for number in range(len(last) - count, len(last)):
            last[number] = last[number] and not plays["lead"][number]


def _stop(plays: Plays, bars: Sequence[Bar], layers: Sequence[str], rng: np.random.Generator) -> None:
    """Before some sections all but one or two stop for a bar."""
    often = rng.uniform(0.0, 0.3)
    for number, bar in enumerate(bars[:-1]):
        if bar.ends_section and bar.bars >= 4 and bar.name not in ("intro", "break") and chance(rng, often):
            left = pick(rng, (("drums", "vocals"), ("vocals",), (layers[0], "vocals"), ("bass", "drums"), ("drums",)))
            if any(plays[part][number] for part in left if part in plays):
                for part in plays:
                    plays[part][number] = plays[part][number] and part in left


def _rest_somewhere(plays: Plays, stem: Sequence[str], bars: Sequence[Bar], rng: np.random.Generator) -> None:
    """Let a stem be silent for a bar or more, if it never is: at the beginning or where a section ends."""
    if not all(any(plays[part][number] for part in stem) for number in range(len(bars))):
        return
    shared = [
        number for number in range(len(bars) - 2) if any(plays[part][number] for part in plays if part not in stem)
    ]
    first = [number for number in shared if number < max(1, bars[0].bars // 2)]
    ends = [number for number in shared if number and bars[number].ends_section]
    silent = first if first and (chance(rng, 0.6) or not ends) else [pick(rng, ends or shared)]
    for number in silent:
        for part in stem:
            plays[part][number] = False
