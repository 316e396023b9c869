"""The composer: from a seed to a whole song on paper."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from demix.errors import DemixError
from demix.generate.arrange import BASS, MACHINE_BASS, MOST, Plays, arrange
from demix.generate.band import Player, draw_band, draw_grooves
from demix.generate.events import chance, pick
from demix.generate.form import ENERGIES, FORMS, Stretch, draw_form, write_bars
from demix.generate.frame import Frame
from demix.generate.harmony import SCALES
from demix.generate.perform import Clock, between
from demix.generate.players import play
from demix.generate.progressions import FAMILIES, Family
from demix.generate.score import Part, Section, Song
from demix.generate.styles import STYLES, WEIGHTS

FORMAT = 2  # raise it when the same seed makes another song
RING_SECONDS = 2.5  # after the last beat
GUITAR_KEYS = (4, 9, 2, 7, 0, 11, 5)  # E, A, D, G, C, B, F
ANSWER_CHANCE, ANSWER_GAP_SECONDS = 0.45, 0.1
# What some songs are on purpose, so that nets meet what is rare; most are plain.
EXTREMES = {"": 0.78, "bass heavy": 0.06, "bass and drums": 0.06, "dense": 0.06, "no bass": 0.04}


def write_song(seed: int) -> Song:
    """Write a song.

    Args:
        seed: 0 or more; the same seed is the same song.

    Returns:
        The song: 1.5 to 4 minutes, with drums, one to four parts of `other` at a time, and bass and vocals in most.

    Raises:
        DemixError: the seed is negative.
    """
    if seed < 0:
        raise DemixError(f"seed: expected 0 or more, received {seed}; choose another")
    rng = np.random.default_rng((FORMAT, seed))
    names = list(STYLES)
    style_name = _weighted(rng, {name: WEIGHTS.get(name, 1.0) for name in names})
    style = STYLES[style_name]
    extreme = _weighted(rng, EXTREMES)
    family = FAMILIES[pick(rng, style.families)]
    beats = 3 if chance(rng, style.three) else 4
    bpm = round(float(np.exp(rng.uniform(*np.log(style.bpm)))), 2)
    tonic = pick(rng, GUITAR_KEYS) if chance(rng, 0.4) else int(rng.integers(12))
    loops = _draw_loops(family, rng)
    form = draw_form(
        pick(rng, style.forms) if chance(rng, 0.85) else pick(rng, list(FORMS)), loops, 60 * beats / bpm, rng
    )
    bars = write_bars(form, loops, tonic, beats)
    grooves, thirds = draw_grooves(style, beats, rng)
    swing = 0.5 if thirds else float(rng.uniform(*style.swing))
    clock = Clock(bpm, swing, style.pair, lead=float(rng.uniform(0.05, 0.4)))
    frame = Frame(style, bars, grooves, clock, tonic, SCALES[family.scale], family.scale, thirds, extreme)
    band = draw_band(frame, rng)
    scarce = 0.4 if extreme == "bass and drums" else 0.0
    layers = [player.name for player in band if player.kind == "layer"]
    sung, led = (any(player.name == name for player in band) for name in ("vocals", "lead"))
    bass = MACHINE_BASS if style.machine else BASS
    if extreme == "no bass":
        bass = dict.fromkeys(ENERGIES, 0.0)
    plays = arrange(bars, layers, vocals=sung, lead=led, rng=rng, scarce=scarce, bass=bass)
    parts = _play_all(band, frame, plays, rng)
    end = float(clock.seconds(np.array([float(len(bars) * beats)]))[0])
    ring = max(note.start + note.length for part in parts for note in part.notes)
    seconds = round(max(end + RING_SECONDS, ring + 0.5), 3)
    sections = _place_sections(form, clock, beats, seconds)
    return Song(seed, style_name, bpm, beats, tonic, SCALES[family.scale], sections, parts, seconds)


def _play_all(band: Sequence[Player], frame: Frame, plays: Plays, rng: np.random.Generator) -> tuple[Part, ...]:
    """Play all parts; in some songs the lead answers the singer where it has no part of its own."""
    parts = {player.name: play(player, frame, plays[player.name], rng) for player in band if player.name != "lead"}
    lead = next((player for player in band if player.name == "lead"), None)
    if lead is not None:
        rows = plays["lead"]
        room = sum(player.kind == "layer" for player in band) < MOST
        if "vocals" in parts and room and chance(rng, ANSWER_CHANCE):
            answers = [
                bar.name in ("verse", "chorus")
                and not rows[number]
                and any(plays[player.name][number] for player in band if player.kind == "layer")
                for number, bar in enumerate(frame.bars)
            ]
            own, other = (play(lead, frame, each, rng) for each in (rows, answers))
            free = between(other.notes, parts["vocals"].notes, ANSWER_GAP_SECONDS)
            parts["lead"] = replace(own, notes=tuple(sorted([*own.notes, *free], key=lambda note: note.start)))
        else:
            parts["lead"] = play(lead, frame, rows, rng)
    return tuple(part for part in parts.values() if part.notes)


def _weighted(rng: np.random.Generator, weights: dict[str, float]) -> str:
    odds = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(odds), p=odds / odds.sum()))]


def _draw_loops(family: Family, rng: np.random.Generator) -> dict[str, str]:
    verse = pick(rng, family.verses)
    chorus = verse if chance(rng, 0.2) else pick(rng, family.choruses)
    return {"a": verse, "b": chorus, "c": pick(rng, family.bridges)}


def _place_sections(form: tuple[Stretch, ...], clock: Clock, beats: int, seconds: float) -> tuple[Section, ...]:
    """Sections in seconds: the first begins with the file, the last ends with it."""
    firsts = np.cumsum([0, *(stretch.bars for stretch in form)]) * beats
    edges = [round(float(edge), 5) for edge in clock.seconds(firsts.astype(float))]
    edges[0], edges[-1] = 0.0, seconds
    return tuple(
        Section(stretch.name, edges[number], edges[number + 1] - edges[number], round(stretch.energy, 3))
        for number, stretch in enumerate(form)
    )
