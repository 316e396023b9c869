"""Drum grooves and fills as patterns: `X` loud, `x` ordinary, `o` soft, `g` a ghost note."""

# General MIDI percussion keys.
KEYS = {
    "kick": 36,
    "side": 37,
    "snare": 38,
    "clap": 39,
    "snare 2": 40,
    "hat": 42,
    "pedal": 44,
    "open": 46,
    "crash": 49,
    "crash 2": 57,
    "ride": 51,
    "bell": 53,
    "china": 52,
    "splash": 55,
    "tom 1": 50,
    "tom 2": 47,
    "tom 3": 45,
    "tom 4": 41,
    "tambourine": 54,
    "cowbell": 56,
    "shaker": 82,
    "bongo": 60,
    "conga": 63,
    "conga low": 64,
    "claves": 75,
}
LOUDNESS = {"X": 1.0, "x": 0.8, "o": 0.55, "g": 0.3}

Groove = dict[str, str]

ROCK = {
    "rock": {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
    "rock push": {"kick": "X.....x.X.x.....", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
    "rock and": {"kick": "X..x....x.x.....|X..x......x..x..", "snare": "....X..g.g..X..g", "hat": "x.o.x.o.x.o.x.o."},
    "rock eighths": {
        "kick": "X.x.....x.x.....|X.x.....x.x...x.",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "rock sparse": {"kick": "X.........x.....", "snare": "....X.......X...", "hat": "x...x...x...x..."},
    "four snare": {"kick": "X.......X.......", "snare": "x...x...x...x...", "hat": "x.x.x.x.x.x.x.x."},
    "half time": {"kick": "X.....x.........|X.....x....x..x.", "snare": "........X.......", "hat": "x.o.x.o.x.o.x.o."},
    "half time heavy": {"kick": "X..x......x..x..", "snare": "........X.......", "crash": "x...x...x...x..."},
    "tom beat": {
        "kick": "X...x...X...x...",
        "tom 3": "x..xx.x.x..xx.x.",
        "tom 4": "X.......X.......",
        "snare": "....o.......X...",
    },
    "punk": {"kick": "X...x.x.X...x.x.", "snare": "..X...X...X...X.", "hat": "x.x.x.x.x.x.x.x."},
    "skank": {"kick": "X...X...X...X...", "snare": "..X...X...X...X.", "ride": "x...x...x...x..."},
    "gallop": {"kick": "X.xxX.xxX.xxX.xx", "snare": "....X.......X...", "hat": "x...x...x...x..."},
    "double kick": {"kick": "XxxxXxxxXxxxXxxx", "snare": "....X.......X...", "ride": "x...x...x...x..."},
    "blast": {"kick": "X.X.X.X.X.X.X.X.", "snare": ".X.X.X.X.X.X.X.X", "hat": "x.x.x.x.x.x.x.x."},
    "surf": {"kick": "X.......X.x.....", "snare": "....X.x.....X...", "ride": "x.o.x.o.x.o.x.o."},
    "sixties": {
        "kick": "X.......X.x.....",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
        "tambourine": "....x.......x...",
    },
    "be my": {"kick": "X.....x.x.......", "snare": "............X...", "tambourine": "....x.......x..."},
    "train": {"kick": "X...X...X...X...", "snare": "goXggoXggoXggoXo"},
    "two beat": {"kick": "X.......X.......", "snare": "....x.......x...", "hat": "..o...o...o...o."},
}
SHUFFLES = {
    "shuffle": {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
    "shuffle kick": {"kick": "X.....x.X.....x.", "snare": "....X.......X...", "ride": "x.o.x.o.x.o.x.o."},
    "texas": {"kick": "X...x...X...x...", "snare": "g.g.X.g.g.g.X.g.", "hat": "x.o.x.o.x.o.x.o."},
    "rockabilly": {"kick": "X...x...X...x...", "snare": "o.g.X.g.o.g.X.g.", "ride": "x...x.x.x...x.x."},
    "twelve eight": {"kick": "X....xX.....", "snare": "...X.....X..", "hat": "xooxooxooxoo"},
    "slow blues": {"kick": "X.....X..x..", "snare": "...X.....X..", "ride": "x.ox.ox.ox.o"},
    "swing": {
        "kick": "o...o...o...o...",
        "side": "............o...|....o...........",
        "ride": "x...x.o.x...x.o.",
        "pedal": "....x.......x...",
    },
    "swing comping": {
        "kick": "......g.........|............g...",
        "snare": "......g.......g.|..g.........o...",
        "ride": "x...x.o.x...x.o.",
        "pedal": "....x.......x...",
    },
    "half shuffle": {"kick": "X....xX.....|X.......x..x", "snare": ".g..g.X.g..g", "hat": "x.xx.xx.xx.x"},
}
DANCE = {
    "four": {"kick": "X...X...X...X...", "clap": "....X.......X...", "open": "..x...x...x...x."},
    "four hats": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X...",
        "hat": "x.o.x.o.x.o.x.o.",
        "open": "..x...x...x...x.",
    },
    "disco": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X...",
        "hat": "xo.oxo.oxo.oxo.o",
        "open": "..x...x...x...x.",
    },
    "techno": {
        "kick": "X...X...X...X...",
        "hat": "oxoxoxoxoxoxoxox",
        "open": "..X...X...X...X.",
        "clap": "............x...",
    },
    "techno tom": {
        "kick": "X...X...X...X...",
        "tom 4": "...x..x...x..x..",
        "ride": "..x...x...x...x.",
        "claves": "x..x..x...x.x...",
    },
    "house shaker": {
        "kick": "X...X...X...X...",
        "clap": "....X.......X...",
        "shaker": "oxoxoxoxoxoxoxox",
        "open": "..x...x...x...x.",
        "side": "...x..x....x..x.",
    },
    "electro": {"kick": "X.....x...x.....|X..x..x...x...x.", "clap": "....X.......X...", "hat": "x.x.x.x.x.x.x.xx"},
    "synth pop": {"kick": "X...X...X...X...", "snare 2": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
    "synth broken": {"kick": "X.....X...X.....", "snare 2": "....X.......X...", "hat": "xxoxxxoxxxoxxxox"},
    "garage": {
        "kick": "X.........x.....|X.....x...x.....",
        "snare": "....X.......X...",
        "hat": "..x.x.ox..x.x.x.",
        "side": ".......o.o......",
    },
    "break": {
        "kick": "X.x.......xx....|X.x.......x.....",
        "snare": "....X..g.g..X..g|....X..g.g.g..X.",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "dembow": {"kick": "X...X...X...X...", "snare": "...x..x....x..x.", "hat": "x.o.x.o.x.o.x.o."},
}
URBAN = {
    "boom bap": {"kick": "X.x.......x.....|X......x.xx.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
    "lazy": {"kick": "X......x..x.....", "snare": "....X..g....X.g.", "hat": "x.o.x.o.x.oox.o."},
    "trap": {
        "kick": "X.....x...x.....|X..x......x..x..",
        "clap": "........X.......",
        "hat": "x.x.x.x.x.xxx.x.|x.x.xxx.x.x.xxxx",
    },
    "trap rolls": {
        "kick": "X.........x.....|X.....x..x......",
        "snare": "........X.......",
        "hat": "x.x.x.xxx.x.x.x.|x-x-x-x-x-x-xxxxxxxx----x-x-x-x-",
    },
    "drill": {
        "kick": "X.....x.........|..x.......x.....",
        "snare": "......X.......X.|......X.....X...",
        "hat": "x..x..x.x..x..x.",
    },
    "funk": {"kick": "X.x.......x..x..", "snare": "....X..g.g..X..g", "hat": "xoxoxoxoxoxoxoxo"},
    "funk drummer": {"kick": "X.X...X...X..x..", "snare": "....X..g.g.gX..g", "hat": "x.x.x.x.x.x.x.x."},
    "funk open": {
        "kick": "X..x..x....x..x.",
        "snare": "....X.g....gX...",
        "hat": "xxxxxxx.xxxxxxxx",
        "open": ".......x........",
    },
    "linear": {"kick": "X..x..x...x..x..", "snare": "....X..g.g..X..g", "hat": ".xx..x..xx.x..x."},
    "soul": {
        "kick": "X.....xxX.......",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
        "tambourine": "x.x.x.x.x.x.x.x.",
    },
    "soul four": {"kick": "X.....x.x.......", "snare": "x...x...x...x...", "tambourine": "..x...x...x...x."},
    "one drop": {"kick": "........X.......", "side": "........X.......", "hat": "x.o.x.o.x.o.x.o."},
    "rockers": {"kick": "X...X...X...X...", "side": "........X......x|..x.....X.....x.", "hat": "x.o.x.o.x.oxx.o."},
    "steppers": {"kick": "X...X...X...X...", "snare": "........X.......", "hat": "..x...x...x...x."},
    "bossa": {"kick": "x..xx..xx..xx..x", "side": "x..x..x...x..x..", "hat": "oooooooooooooooo"},
    "latin": {
        "kick": "x...x...x...x...",
        "side": "x..x..x...x.x...",
        "conga": "..o...xx..o...xx",
        "cowbell": "x...x...x...x...",
    },
    "ballad": {"kick": "X......xx.......", "side": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
    "ballad wide": {"kick": "X.........x.....", "snare": "....X.......X...", "ride": "x.o.x.o.x.o.x.o."},
    "brush": {"kick": "x.......x.......", "snare": "o.g.x.g.o.g.x.g.", "shaker": "o.o.o.o.o.o.o.o."},
    "percussion": {
        "shaker": "oxooxxooxxooxxoo",
        "conga": "..x...xx..x...x.",
        "conga low": "x.......x..x....",
        "kick": "x.......x.......",
    },
}
# For bars of three quarter notes (3/4, 6/8): twelve steps are sixteenths.
IN_THREE = {
    "waltz": {"kick": "X...........", "snare": "....x...x...", "hat": "x.o.x.o.x.o."},
    "waltz rock": {"kick": "X.....x.....", "snare": "........X...|....X...X...", "ride": "x.o.x.o.x.o."},
    "waltz brush": {"kick": "x...........", "snare": "o.g.x.g.x.g.", "pedal": "....x...x..."},
    "six eight": {"kick": "X.........x.", "snare": "......X.....", "hat": "x.o.o.x.o.o."},
    "six eight push": {"kick": "X...x.....x.", "snare": "......X....g", "hat": "xoooooxooooo"},
    "six eight ride": {"kick": "X.....x.....|X.......x...", "snare": "......X.....", "ride": "x.o.o.x.o.o."},
}
GROOVES: dict[str, Groove] = ROCK | SHUFFLES | DANCE | URBAN | IN_THREE
