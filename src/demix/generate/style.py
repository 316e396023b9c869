"""What a style says: tempo, feel, chords, grooves, bass, and who plays."""

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """A style.

    Args:
        bpm: tempo from and to, in quarter notes a minute.
        families: keys of `progressions.FAMILIES`.
        grooves: keys of `grooves.GROOVES` for bars of four.
        bass: keys of `bass_lines.LINES`, or `kick`: with the kick drum.
        layers: keys of `layers.LAYERS`, those named earlier are likelier; the first that is drawn carries the song.
        basses: General MIDI programs of the bass.
        lead: key of `layers.LEADS`.
        forms: keys of `form.FORMS`.
        swing: where the offbeat falls in its pair, from and to.
        pair: quarter notes of a swung pair.
        vocals: chance that somebody sings.
        three: chance of bars of three.
        loose: seconds by which players miss the beat, about.
        machine: drums are a machine's.
        kit: General MIDI drum kit.
        triplets: short notes of melodies and fills are thirds of a beat.
        syllables: length of the shortest sung notes in seconds, from and to.
        parts: number of layers, one is drawn.
    """

    bpm: Range
    families: tuple[str, ...]
    grooves: tuple[str, ...]
    bass: tuple[str, ...]
    layers: tuple[str, ...]
    basses: tuple[int, ...] = (33, 33, 34)
    lead: str = "guitar"
    forms: tuple[str, ...] = ("pop", "solo", "straight", "riff")
    swing: Range = (0.5, 0.52)
    pair: float = 1.0
    vocals: float = 0.85
    three: float = 0.0
    loose: float = 0.007
    machine: bool = False
    kit: int = 0
    triplets: bool = False
    syllables: Range = (0.2, 0.36)
    parts: tuple[int, ...] = field(default=(1, 2, 2, 3, 3, 4))
