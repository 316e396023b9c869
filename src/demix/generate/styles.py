"""Styles: tempo, feel, chords, grooves, bass, and who plays."""

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


BANDS = {
    "rock": Style(
        (92, 150),
        ("rock", "minor rock", "pop", "three chords"),
        ("rock", "rock push", "rock and", "rock eighths", "rock sparse", "four snare"),
        ("eighths", "kick", "push", "riff", "quarters", "arpeggio"),
        (
            "crunch guitar",
            "power guitar",
            "riff guitar",
            "clean guitar",
            "organ",
            "piano",
            "acoustic guitar",
            "clean arpeggio",
            "strings",
        ),
        three=0.06,
        kit=8,
    ),
    "hard rock": Style(
        (84, 140),
        ("riff", "rock", "minor rock"),
        ("rock", "rock push", "rock eighths", "half time", "rock and", "half time heavy"),
        ("eighths", "kick", "riff", "pedal", "push"),
        ("riff guitar", "power guitar", "chug guitar", "wide guitar", "crunch guitar", "organ", "fast guitar"),
        basses=(34, 34, 33),
        lead="metal",
        forms=("riff", "solo", "jam"),
        kit=16,
        vocals=0.8,
    ),
    "metal": Style(
        (110, 200),
        ("phrygian", "riff", "minor rock"),
        ("gallop", "double kick", "half time heavy", "skank", "blast", "rock eighths", "half time"),
        ("gallop", "kick", "eighths", "pedal"),
        ("chug guitar", "fast guitar", "riff guitar", "wide guitar", "power guitar", "synth strings"),
        basses=(34,),
        lead="metal",
        forms=("riff", "solo", "jam"),
        kit=16,
        vocals=0.72,
        loose=0.004,
        parts=(2, 2, 3, 3, 4),
    ),
    "punk": Style(
        (150, 208),
        ("three chords", "rock", "pop", "minor rock"),
        ("punk", "skank", "rock eighths", "tom beat"),
        ("eighths", "eighths", "push", "kick"),
        ("power guitar", "crunch guitar", "wide guitar", "riff guitar"),
        basses=(34,),
        forms=("straight", "pop", "solo"),
        kit=16,
        vocals=0.92,
        parts=(1, 2, 2, 3),
        syllables=(0.16, 0.26),
    ),
    "blues": Style(
        (62, 132),
        ("blues", "blues", "minor blues"),
        ("shuffle", "shuffle kick", "texas", "slow blues"),
        ("boogie", "walking", "quarters", "riff"),
        ("shuffle guitar", "organ", "honky-tonk", "twang riff", "clean guitar", "brass", "piano"),
        basses=(33, 32, 33),
        lead="blues",
        forms=("strophic", "jam", "aaba"),
        swing=(0.6, 0.67),
        vocals=0.75,
        triplets=True,
    ),
    "rockabilly": Style(
        (140, 205),
        ("blues", "three chords"),
        ("rockabilly", "shuffle", "train"),
        ("walking", "boogie", "two beat"),
        ("boom chick guitar", "twang riff", "honky-tonk", "shuffle guitar"),
        basses=(32, 32, 33),
        lead="clean",
        forms=("strophic", "aaba", "jam"),
        swing=(0.56, 0.65),
        kit=40,
        vocals=0.8,
        parts=(1, 2, 2, 3),
    ),
    "surf": Style(
        (130, 176),
        ("andalusian", "three chords", "minor rock", "oldies"),
        ("surf", "sixties", "four snare", "tom beat"),
        ("eighths", "push", "two beat", "boogie"),
        ("clean guitar", "twang riff", "organ stabs", "tremolo guitar", "boom chick guitar"),
        basses=(33, 34),
        lead="surf",
        forms=("aaba", "jam", "solo"),
        vocals=0.2,
        parts=(1, 2, 2, 3),
    ),
    "sixties pop": Style(
        (96, 150),
        ("oldies", "three chords", "pop"),
        ("sixties", "four snare", "be my", "soul four", "two beat"),
        ("two beat", "push", "boogie", "quarters", "high", "soul"),
        ("clean guitar", "acoustic guitar", "clean arpeggio", "piano", "organ stabs", "strings", "brass", "bells"),
        basses=(33, 32, 34),
        lead="clean",
        forms=("aaba", "pop", "straight", "strophic"),
        three=0.1,
    ),
    "folk": Style(
        (76, 138),
        ("folk", "folk", "minor pop"),
        ("brush", "train", "two beat", "percussion", "rock sparse"),
        ("two beat", "whole", "halves", "arpeggio", "quarters"),
        ("picked guitar", "acoustic guitar", "boom chick guitar", "banjo", "accordion", "strings", "piano"),
        basses=(32, 32, 33, 35),
        lead="folk",
        forms=("strophic", "pop", "aaba"),
        three=0.3,
        kit=40,
        loose=0.009,
        vocals=0.9,
        parts=(1, 2, 2, 3),
    ),
    "country": Style(
        (88, 168),
        ("three chords", "folk", "oldies"),
        ("train", "two beat", "rock", "rock sparse"),
        ("two beat", "two beat", "walking", "quarters"),
        ("boom chick guitar", "acoustic guitar", "twang riff", "honky-tonk", "banjo", "strings"),
        basses=(32, 33),
        lead="folk",
        forms=("strophic", "solo", "pop"),
        three=0.12,
    ),
    "ballad": Style(
        (56, 84),
        ("pop", "oldies", "minor pop", "soul"),
        ("ballad", "ballad wide", "rock sparse", "twelve eight", "half time"),
        ("ballad", "whole", "halves", "kick"),
        (
            "piano",
            "piano arpeggio",
            "strings",
            "acoustic guitar",
            "electric piano",
            "clean arpeggio",
            "organ",
            "high strings",
            "wide guitar",
        ),
        basses=(33, 35, 33),
        lead="soft",
        forms=("pop", "solo", "straight"),
        three=0.2,
        vocals=0.95,
        loose=0.01,
        syllables=(0.24, 0.45),
    ),
    "soul": Style(
        (84, 128),
        ("soul", "vamp", "oldies"),
        ("soul", "soul four", "funk drummer", "rock push"),
        ("soul", "soul", "kick", "push"),
        ("electric piano", "clean guitar", "organ", "brass", "piano", "strings", "scratch guitar", "skank guitar"),
        lead="horn",
        swing=(0.5, 0.56),
        pair=0.5,
        vocals=0.9,
        loose=0.009,
    ),
    "funk": Style(
        (92, 124),
        ("funk", "vamp"),
        ("funk", "funk drummer", "funk open", "linear", "break"),
        ("funk", "funk", "kick", "octaves"),
        ("scratch guitar", "clavinet", "brass", "electric piano", "organ stabs", "muted guitar"),
        basses=(36, 37, 33, 33),
        lead="horn",
        forms=("jam", "loop", "riff"),
        swing=(0.5, 0.57),
        pair=0.5,
        vocals=0.7,
        parts=(2, 2, 3, 4),
    ),
    "reggae": Style(
        (66, 96),
        ("three chords", "minor loop", "folk", "vamp"),
        ("one drop", "rockers", "steppers"),
        ("reggae",),
        ("skank guitar", "organ stabs", "electric piano", "muted guitar", "brass", "piano"),
        basses=(33, 33, 39),
        lead="horn",
        forms=("pop", "loop", "strophic"),
        swing=(0.5, 0.62),
        pair=0.5,
        loose=0.01,
    ),
    "jazz": Style(
        (96, 210),
        ("jazz", "minor jazz", "blues"),
        ("swing", "swing comping", "shuffle kick"),
        ("walking", "walking", "two beat"),
        ("jazz piano", "jazz guitar", "vibraphone", "brass", "organ"),
        basses=(32,),
        lead="jazz",
        forms=("aaba", "jam", "strophic"),
        swing=(0.58, 0.67),
        kit=32,
        vocals=0.4,
        loose=0.01,
        three=0.1,
        triplets=True,
        parts=(1, 1, 2, 2, 3),
    ),
    "bossa": Style(
        (108, 168),
        ("jazz", "minor jazz", "soul"),
        ("bossa", "latin", "percussion"),
        ("tumbao", "two beat", "ballad"),
        ("nylon bossa", "montuno piano", "electric piano", "vibraphone", "strings"),
        basses=(32, 35, 33),
        lead="jazz",
        forms=("aaba", "pop"),
        kit=32,
        vocals=0.65,
        parts=(1, 2, 2, 3),
    ),
}
MACHINES = {
    "synth pop": Style(
        (98, 142),
        ("minor pop", "pop", "minor loop"),
        ("synth pop", "synth broken", "electro", "four hats", "rock"),
        ("eighths", "octaves", "offbeat", "rolling", "pedal"),
        (
            "synth sequence",
            "synth strings",
            "synth chords",
            "synth pad",
            "electric piano",
            "muted guitar",
            "bells",
            "clean arpeggio",
        ),
        basses=(38, 39, 38, 33),
        lead="synth",
        forms=("pop", "solo", "loop"),
        loose=0.001,
        machine=True,
        kit=24,
    ),
    "disco": Style(
        (108, 128),
        ("vamp", "minor pop", "soul", "pop"),
        ("disco", "four hats", "house shaker"),
        ("octaves", "octaves", "funk", "offbeat"),
        ("scratch guitar", "strings", "electric piano", "brass", "house piano", "clavinet", "synth strings"),
        basses=(33, 36, 38),
        lead="horn",
        forms=("loop", "pop", "club"),
        loose=0.005,
    ),
    "house": Style(
        (116, 130),
        ("minor loop", "vamp", "minor pop", "soul"),
        ("four", "four hats", "house shaker", "garage"),
        ("offbeat", "rolling", "octaves", "hip hop"),
        ("house piano", "synth chords", "synth pad", "organ stabs", "pluck", "synth sequence", "strings"),
        basses=(38, 39, 39),
        lead="glass",
        forms=("club", "drop", "loop"),
        swing=(0.5, 0.57),
        pair=0.5,
        vocals=0.65,
        loose=0.0007,
        machine=True,
        kit=26,
    ),
    "techno": Style(
        (124, 148),
        ("minor loop", "phrygian", "vamp"),
        ("techno", "techno tom", "four", "break"),
        ("rolling", "offbeat", "pedal", "octaves"),
        ("synth sequence", "synth chords", "synth pad", "pluck", "synth sequence"),
        basses=(38, 39, 87),
        lead="synth",
        forms=("club", "drop"),
        vocals=0.35,
        loose=0.0003,
        machine=True,
        kit=25,
        parts=(1, 2, 3, 3),
    ),
    "hip hop": Style(
        (78, 102),
        ("minor loop", "vamp", "soul", "minor jazz"),
        ("boom bap", "lazy", "break", "funk drummer"),
        ("hip hop", "kick", "whole", "walking"),
        ("dark keys", "electric piano", "strings", "scratch guitar", "piano", "jazz guitar", "pluck", "brass"),
        basses=(33, 38, 32, 39),
        lead="soft",
        forms=("loop", "pop"),
        swing=(0.5, 0.6),
        pair=0.5,
        vocals=0.9,
        loose=0.002,
        machine=True,
        kit=24,
        syllables=(0.15, 0.22),
    ),
    "trap": Style(
        (120, 160),
        ("minor loop", "minor pop", "phrygian"),
        ("trap", "trap rolls", "drill"),
        ("808", "808", "kick"),
        ("bells", "dark keys", "synth pad", "pluck", "piano arpeggio", "strings", "picked guitar"),
        basses=(38, 39, 87),
        lead="glass",
        forms=("loop", "pop", "drop"),
        vocals=0.88,
        loose=0.0005,
        machine=True,
        kit=25,
        syllables=(0.17, 0.24),
        parts=(1, 1, 2, 3),
    ),
    "electronic pop": Style(
        (84, 128),
        ("pop", "minor pop", "minor loop"),
        ("electro", "synth broken", "four", "dembow", "trap", "garage", "boom bap"),
        ("push", "808", "offbeat", "kick", "octaves"),
        (
            "synth chords",
            "pluck",
            "synth pad",
            "muted guitar",
            "piano",
            "electric piano",
            "synth sequence",
            "acoustic guitar",
        ),
        basses=(38, 39, 33),
        lead="glass",
        forms=("pop", "loop", "drop"),
        vocals=0.92,
        loose=0.001,
        machine=True,
        kit=24,
    ),
}
STYLES: dict[str, Style] = BANDS | MACHINES
# How often each style is drawn: what is judged is mostly rock.
WEIGHTS = {"rock": 3.0, "hard rock": 2.0, "blues": 1.6, "sixties pop": 1.6, "synth pop": 1.4, "metal": 1.4, "punk": 1.2}
