"""The vocal stem of a generated song: phrases of real singers, fitted to its chords and its beat.

A song has one or two singers. Every phrase of the composer's melody is a slot, filled with phrases of about its length,
moved by at most three semitones and sung faster or slower, so that their first syllables are on the beat and their
pitches in the harmony. Choruses repeat their phrases, verses do not. Doubles, a second voice and answers come where the
song is full. The stem is dry: levels are even, and nothing else is done to it.
"""

import numpy as np
import soxr

from demix.config import SAMPLE_RATE
from demix.generate.phrase_bank import Bank, open_bank
from demix.generate.phrases import Audio, narrow
from demix.generate.score import Song
from demix.generate.voice_choice import Choice
from demix.generate.voice_lines import Line, arrange

__all__ = ["Bank", "open_bank", "sing"]

LEAD_DBFS = -20.0  # of the loud parts of a line
LEVEL_SPREAD_DB = 1.0  # standard deviation from line to line
PEAK = 0.95
FADE_SECONDS = 0.012
CUT_SECONDS = 0.08  # fade of what is cut short


def sing(song: Song, bank: Bank, rng: np.random.Generator) -> Audio:
    """Sing a song.

    Args:
        song: its parts of role `melody` in the stem `vocals` say when.
        bank: the singers.
        rng: all that is drawn comes from it: equal song, bank and state give equal samples.

    Returns:
        The dry vocal stem, `(2, samples)`, 44.1 kHz, as long as the song; loud parts of the lead lie about -20 dBFS,
        no peak is above 0.95. Silence for a song without melody.
    """
    stem = np.zeros((2, round(song.seconds * SAMPLE_RATE)), dtype=np.float32)
    heard: dict[tuple[str, int, int, float, bool], Audio] = {}  # choruses repeat
    for line in arrange(song, bank, rng):
        choice = line.choice
        key = (choice.source.name, choice.phrase, choice.take, choice.shift, line.narrow)
        if key not in heard:
            heard[key] = render(choice, one_channel=line.narrow)
        _add(stem, heard[key], line, float(rng.normal(0, LEVEL_SPREAD_DB)))
    peak = max(float(stem.max(initial=0.0)), -float(stem.min(initial=0.0)))
    return stem if peak <= PEAK else stem * np.float32(PEAK / peak)


def render(choice: Choice, *, one_channel: bool = False) -> Audio:
    """Return a phrase at its speed and pitch, `(channels, samples)`, 44.1 kHz, its loud parts at -20 dBFS.

    Args:
        choice: what to sing.
        one_channel: its middle, or its left where the sides of the recording cancel out; else both channels.
    """
    row = choice.source.phrases[choice.phrase]
    taken = choice.source.audio(choice.phrase, choice.take).T.astype(np.float32)
    level = float(row["level"])
    if one_channel:
        taken, level = narrow(taken), float(row["narrow_level"])
    taken *= np.float32(10 ** ((LEAD_DBFS - level) / 20) / 32767)
    return soxr.resample(taken.T, SAMPLE_RATE * 2 ** (choice.shift / 12), SAMPLE_RATE, quality="MQ").T


def _add(stem: Audio, heard: Audio, line: Line, louder_db: float) -> None:
    """Add a line to the stem at its place, with faded ends."""
    at = round((line.beat - line.choice.attack) * SAMPLE_RATE)
    first = max(0, -at)
    last = min(heard.shape[1], stem.shape[1] - at)
    if np.isfinite(line.longest):
        last = min(last, round(line.longest * SAMPLE_RATE))
    if last <= first:
        return
    envelope = np.ones(last - first, dtype=np.float32)
    _fade(envelope, FADE_SECONDS)
    _fade(envelope[::-1], FADE_SECONDS if last == heard.shape[1] else CUT_SECONDS)
    envelope *= np.float32(10 ** ((line.gain_db + louder_db) / 20))
    angle = (line.pan + 1) * np.pi / 4
    for channel, side in enumerate((np.cos(angle), np.sin(angle))):
        sung = heard[channel % len(heard), first:last] * envelope
        stem[channel, at + first : at + last] += sung * np.float32(np.sqrt(2) * side)


def _fade(envelope: Audio, seconds: float) -> None:
    """Let an envelope rise from 0."""
    samples = min(round(seconds * SAMPLE_RATE), len(envelope) // 2)
    envelope[:samples] *= np.linspace(0, 1, samples, endpoint=False, dtype=np.float32)
