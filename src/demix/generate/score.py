"""A song on paper: what the composer writes and the players play.

Times are in seconds from the song's beginning, with the groove (swing, lateness) already in them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One note.

    Args:
        start: when it begins, in seconds.
        length: how long it is held, in seconds; drums ring as long as they will.
        pitch: MIDI key, 60 is middle C; of drums the General MIDI percussion key.
        velocity: 1 to 127.
    """

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Args:
        name: unique in the song: `drums`, `bass`, `rhythm guitar`, `pad` ...
        stem: the stem it is part of, of `demix.config.STEMS`.
        role: its task in the mix: `drums`, `bass`, `chords`, `riff`, `arpeggio`, `pad`, `lead`, `melody` (sung).
        program: General MIDI program, 0 to 127; of drums and voices without meaning.
        notes: in the order of their starts.
    """

    name: str
    stem: str
    role: str
    program: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Section:
    """A stretch of the form.

    Args:
        name: `intro`, `verse`, `chorus`, `bridge`, `break`, `solo`, `outro` ...
        start: in seconds.
        length: in seconds.
        energy: 0 (hardly anything plays) to 1 (all play).
    """

    name: str
    start: float
    length: float
    energy: float


@dataclass(frozen=True)
class Song:
    """A whole song on paper.

    Args:
        seed: what it was drawn from.
        style: a key of the composer's styles.
        bpm: quarter notes a minute.
        beats: quarter notes in a bar.
        tonic: pitch class of the key, 0 is C.
        scale: semitones above the tonic that the key has, rising from 0.
        sections: without gaps, in order.
        parts: at most one of the stems `vocals`, `drums` and `bass` each, several of `other`.
        seconds: length of the song, the last notes' ringing included.
    """

    seed: int
    style: str
    bpm: float
    beats: int
    tonic: int
    scale: tuple[int, ...]
    sections: tuple[Section, ...]
    parts: tuple[Part, ...]
    seconds: float
