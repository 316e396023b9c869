"""What General MIDI programs can play: their real ranges, and who plays one note at a time."""

GUITAR = (40, 86)  # E2 up
# MIDI keys, lowest and highest, for programs from the key on (0 based) up to the next key.
RANGES = {
    0: (24, 105),  # pianos
    4: (28, 100),  # electric pianos
    6: (29, 89),  # harpsichord
    7: (36, 91),  # clavinet
    8: (60, 108),  # celesta, glockenspiel, music box
    11: (53, 89),  # vibraphone
    12: (45, 96),  # marimba, xylophone, bells
    15: (48, 84),  # dulcimer
    16: (36, 96),  # organs
    21: (53, 89),  # accordion
    22: (60, 96),  # harmonica
    23: (53, 89),  # bandoneon
    24: GUITAR,
    32: (28, 67),  # basses: E1 to the twelfth fret and above
    36: (28, 67),
    38: (24, 72),  # synthesizer basses
    40: (55, 96),  # violin
    41: (48, 84),
    42: (36, 76),  # cello
    43: (28, 55),
    44: (36, 92),  # strings
    46: (36, 96),
    47: (36, 60),
    48: (36, 96),  # string ensembles
    52: (43, 84),
    56: (54, 84),  # trumpet
    57: (40, 72),  # trombone
    58: (28, 58),
    59: (54, 82),
    60: (41, 77),  # horn
    61: (43, 84),  # brass section
    64: (54, 87),  # soprano saxophone
    65: (49, 80),  # alto
    66: (44, 76),  # tenor
    67: (36, 69),  # baritone
    68: (58, 88),
    71: (50, 91),  # clarinet
    72: (74, 105),
    73: (60, 93),  # flutes
    80: (36, 96),  # synthesizer leads, pads, effects
    104: (48, 84),  # sitar
    105: (50, 86),  # banjo
    106: (50, 82),
    107: (45, 84),
    108: (48, 84),
    110: (55, 93),  # fiddle
}


def playable(program: int) -> tuple[int, int]:
    """The lowest and the highest MIDI key of a General MIDI program."""
    return RANGES[max(first for first in RANGES if first <= program)]
