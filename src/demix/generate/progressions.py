"""Progressions by family: numerals a bar each, parted by spaces; `V,IV` are two in one bar."""

from typing import NamedTuple


class Family(NamedTuple):
    """Loops of one mode.

    Args:
        scale: of `harmony.SCALES`.
        verses: loops for verses.
        choruses: loops for choruses.
        bridges: loops for what stands apart.
    """

    scale: str
    verses: tuple[str, ...]
    choruses: tuple[str, ...]
    bridges: tuple[str, ...]


BLUES = (
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7,IV7 I7,V7",
    "I7 I7 I7 I7 IV7 IV7 I7 VI7 ii7 V7 I7,VI7 ii7,V7",
    "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 V7 I7 I7",
)
MINOR_BLUES = ("i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7", "i7 iv7 i7 i7 iv7 iv7 i7 i7 v7 iv7 i7 v7")

FAMILIES = {
    "pop": Family(
        "major",
        (
            "I V vi IV",
            "vi IV I V",
            "I vi IV V",
            "I iii IV V",
            "I I IV IV",
            "I IV vi V",
            "IV I V vi",
            "I Vsus4 vi7 IVadd9",
        ),
        ("I V vi IV", "IV V vi I", "IV I V vi", "I IV V V", "vi IV I V", "I V IV iv", "IV V I vi"),
        ("vi V IV IV", "ii iii IV V", "iv iv I I", "bVI bVI bVII bVII", "vi iii IV V"),
    ),
    "minor pop": Family(
        "minor",
        ("i bVI bIII bVII", "i bVII bVI bVII", "i iv bVI bVII", "i i bVI bVI", "i bIII bVII iv", "i v bVI iv"),
        ("bVI bVII i i", "i bVI bIII bVII", "bVI bIII bVII i", "iv i bVI V", "i bVII bVI V", "bVI iv i bVII"),
        ("iv iv bVI V", "bIII bVII iv bVI", "bVI bVI bVII bVII", "iv bVII bIII bVI"),
    ),
    "rock": Family(
        "mixolydian",
        (
            "I bVII IV I",
            "I I bVII IV",
            "I IV I bVII",
            "I I IV bVII",
            "I,bVII IV",
            "I bIII IV I",
            "I I I bVII,IV",
            "I V bVII IV",
        ),
        ("I V bVII IV", "bVII IV I I", "IV I bVII I", "I bIII bVII IV", "IV bVII I I", "I IV V IV", "V IV I I"),
        ("bVI bVII I I", "ii IV V V", "bIII bVII I I", "vi vi bVII V"),
    ),
    "minor rock": Family(
        "minor",
        ("i bVII bVI bVII", "i i bVII bVII", "i bIII bVII iv", "i i i bVI,bVII", "i bVI bVII i", "i,bVII bVI,bVII"),
        ("i bVI bIII bVII", "bVI bVII i i", "bIII bVII i bVI", "i bVII bVI V", "iv bVI bVII i"),
        ("iv bVI bVII V", "bVI bVI iv V", "bIII bIII bVII bVII"),
    ),
    "riff": Family(
        "minor",
        ("i5 i5 i5 bVII5", "i5 i5 bIII5 iv5", "i5", "i5 i5 bVI5 bVII5", "i5 bVII5 i5 bIII5,iv5"),
        ("bVI5 bVII5 i5 i5", "i5 bVI5 bIII5 bVII5", "bIII5 bVII5 iv5 i5", "i5 bIII5 bVI5 bVII5"),
        ("iv5 iv5 bVI5 bVII5", "bVI5 bVI5 v5 v5"),
    ),
    "phrygian": Family(
        "phrygian",
        ("i5 i5 bII5 i5", "i5 bII5 i5 bIII5", "i5 i5 i5 bII5,bIII5", "i5 bII5 bVII5 i5"),
        ("i5 bVI5 bVII5 bII5", "bVI5 bVII5 i5 i5", "iv5 bII5 i5 i5"),
        ("bII5 bII5 i5 i5", "bVI5 bVI5 bII5 bII5"),
    ),
    "three chords": Family(
        "major",
        ("I IV V V", "I I IV V", "I IV I V", "I V IV V", "I,IV V", "I I IV IV I I V V"),
        ("I IV V IV", "IV V I I", "IV I V V", "I V vi IV"),
        ("vi IV V V", "IV IV V V", "ii ii V V"),
    ),
    "blues": Family("blues", BLUES, BLUES[:2], ("IV7 IV7 I7 I7 II7 II7 V7 V7",)),
    "minor blues": Family("minor", MINOR_BLUES, MINOR_BLUES, ("iv7 iv7 i7 i7 bVI7 bVI7 V7 V7",)),
    "oldies": Family(
        "major",
        ("I vi IV V", "I vi ii V", "I iii IV V", "I IV I V", "I I7 IV iv", "I II7 IV I", "I,vi ii,V"),
        ("IV V I vi", "IV iv I VI7", "I vi IV V", "IV V iii vi ii V I I", "I I+ IV V"),
        ("III7 III7 vi vi II7 II7 V7 V7", "IV IV I I II7 II7 V V", "iv bVII bIII V"),
    ),
    "soul": Family(
        "major",
        ("Imaj7 ii7", "I7 IV7", "Imaj7 vi7 ii7 V7", "I IV6 I IV6", "vi7 ii7 V7 Imaj7", "Imaj7 iii7 IVmaj7 V7"),
        ("IVmaj7 iii7 ii7 V7", "ii7 V7 Imaj7 vi7", "IVmaj7 V7 iii7 vi7", "I V7 ii7 V7", "I iii7 IVmaj7 iv6"),
        ("vi7 II7 ii7 V7", "IVmaj7 iv6 Imaj7 VI7", "bIIImaj7 bIIImaj7 ii7 V7"),
    ),
    "vamp": Family(
        "dorian",
        ("i7 IV7", "i7 IV9 i7 IV9", "i7", "i7 i7 IV7 IV7", "i9 i9 i9 bVII6", "i7 bVII6 IV7 i7", "i7,IV7"),
        ("iv7 bVII7 i7 i7", "bIIImaj7 IV7 i7 i7", "v7 IV7 i7 i7", "i7 bIIImaj7 IV9 IV9"),
        ("IV9 IV9 bVII6 bVII6", "bVI7 V7 i7 i7", "iv7 iv7 v7 v7"),
    ),
    "funk": Family(
        "mixolydian",
        ("I9", "I9 IV9", "I7#9", "I9 I9 I9 bVII9", "I7 I7 IV7 I7"),
        ("IV9 IV9 I9 I9", "bVII6 IV9 I9 I9", "ii7 V9 I9 I9", "IV9 V9 I9 I9"),
        ("bVII9 bVII9 IV9 IV9", "IV9 IV9 II7 V9"),
    ),
    "andalusian": Family(
        "harmonic minor",
        ("i bVII bVI V", "i iv V i", "i i V V", "i iv i V", "i bVI V V"),
        ("iv i V i", "bVI bVII i V", "i bVII bVI V", "bIII bVII i V"),
        ("iv iv bVI V", "bVI bVI V V"),
    ),
    "folk": Family(
        "major",
        ("I I IV I", "I V vi IV", "I IV I V", "I iii vi IV", "I I V V IV IV I I", "I bVII IV I", "vi IV I V"),
        ("IV I V I", "IV V I vi", "IV I ii V", "vi V IV I"),
        ("ii ii V V", "vi iii IV I", "IV IV iv I"),
    ),
    "jazz": Family(
        "major",
        (
            "ii7 V7 Imaj7 Imaj7",
            "Imaj7 vi7 ii7 V7",
            "ii7 V7 Imaj7 VI7",
            "Imaj7 IV7 iii7,VI7 ii7,V7",
            "Imaj7 biiidim7 ii7 V7",
        ),
        ("ii7 V7 Imaj7 vi7", "iii7 VI7 ii7 V7", "v7 I7 IVmaj7 bVII7 Imaj7 VI7 ii7 V7"),
        ("III7 III7 VI7 VI7 II7 II7 V7 V7", "iv7 bVII7 Imaj7 Imaj7 ii7 II7 ii7 V7"),
    ),
    "minor jazz": Family(
        "harmonic minor",
        ("i6 i6 iim7b5 V7", "i7 iv7 iim7b5 V7", "i6 bVI7 iim7b5 V7", "iv7 bVII7 bIIImaj7 bVImaj7 iim7b5 V7 i6 i6"),
        ("iv7 iv7 i6 i6", "iv7 bVII7 bIIImaj7 V7", "iim7b5 V7 i6 i6"),
        ("iv7 iv7 bIIImaj7 bIIImaj7 iim7b5 iim7b5 V7 V7", "bVImaj7 bVImaj7 iim7b5 V7"),
    ),
    "minor loop": Family(
        "minor",
        ("i i bVI bVII", "i", "i bVI", "i7 v7", "i bVI iv v", "i i iv iv", "i bIII bVI iv", "i,bVII bVI"),
        ("i bVI bIII bVII", "bVI bVII i v", "iv bVI i bVII", "i v bVI bVII", "bVImaj7 v7 i7 i7"),
        ("bVI bVI bVII bVII", "iv iv v v", "iv"),
    ),
}
