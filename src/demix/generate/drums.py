"""The drummer: a groove for each theme, with changes from bar to bar, fills, crashes and stops."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from demix.generate.events import Bar, Event, chance, pick, read_steps
from demix.generate.grooves import GROOVES, KEYS, LOUDNESS, Groove

TIMEKEEPERS = ("hat", "ride", "open", "crash", "bell", "tambourine", "shaker")
BACKBEATS = ("snare", "snare 2", "clap", "side")
FILL_DRUMS = ("snare", "snare", "tom 1", "tom 2", "tom 3", "tom 4")


def draw_groove(name: str, rng: np.random.Generator, *, human: bool) -> Groove:
    """Draw a groove of this song: the named one with a change or two that then stays."""
    groove = dict(GROOVES[name])
    if human and chance(rng, 0.5) and "kick" in groove:
        groove["kick"] = "|".join(
            _move_kick(line, rng) for line in (groove["kick"] + "|" + groove["kick"]).split("|")[:4]
        )
    if human and chance(rng, 0.3) and "hat" in groove and len(groove["hat"]) == 16:
        groove["hat"] = pick(
            rng, ("x.o.x.o.x.o.x.o.", "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "x...x...x...x...", "o.x.o.x.o.x.o.x.")
        )
    if "hat" in groove and "open" not in groove and chance(rng, 0.25):
        line = groove["hat"].split("|")[0]
        at = pick(rng, (len(line) - 2, len(line) // 2 - 2))
        groove["hat"] = line[:at] + "." + line[at + 1 :]
        groove["open"] = "." * at + "x" + "." * (len(line) - at - 1)
    if chance(rng, 0.15):
        groove[pick(rng, ("tambourine", "cowbell", "shaker"))] = pick(
            rng, ("x...x...x...x...", "..x...x...x...x.", "oxoxoxoxoxoxoxox")
        )
    return groove


def _move_kick(line: str, rng: np.random.Generator) -> str:
    steps = list(line)
    even = [number for number in range(2, len(steps), 2) if number != 4 * (number // 4)]
    at = pick(rng, even)
    steps[at] = "." if steps[at] != "." else "x"
    return "".join(steps)


def draw_fill(beats: float, thirds: bool, rng: np.random.Generator, *, machine: bool) -> list[Event]:
    """Draw a fill that begins at beat 0.

    Args:
        beats: its length in quarter notes.
        thirds: in triplets, as a shuffle has them.
        rng: what draws.
        machine: a roll on one drum that grows, instead of a way round the toms.
    """
    step = 1 / 3 if thirds else pick(rng, (0.25, 0.25, 0.5))
    count = round(beats / step)
    density = rng.uniform(0.55, 1.0)
    keys = [pick(rng, ("snare", "snare 2", "clap"))] if machine else list(FILL_DRUMS)
    down = chance(rng, 0.75)
    events = []
    for number in range(count):
        if not chance(rng, 1.0 if number == 0 else density):
            continue
        way = number / count if down else rng.random()
        drum = (
            keys[min(len(keys) - 1, int(way * len(keys) + rng.uniform(-0.6, 0.6) * (len(keys) > 1)))]
            if number
            else keys[0]
        )
        loud = 0.5 + 0.5 * number / count if machine else rng.uniform(0.65, 1.0)
        events.append(Event(number * step, step, KEYS[drum], loud))
    if not machine:
        events += [Event(float(beat), 1.0, KEYS["kick"], 0.8) for beat in range(int(beats)) if chance(rng, 0.7)]
    return events


class Habits(NamedTuple):
    """What a drummer does beyond the groove.

    Args:
        busy: how often fills come, 0 to 1.
        leads_in: chance of a fill before the drums come in.
        drop: chance that a hit is left out.
        ghosts: chance of one more ghost note in a bar.
        keepers: what is played instead of the hat, by theme.
        variants: themes of which each fourth bar has a kick more.
    """

    busy: float
    leads_in: float
    drop: float
    ghosts: float
    keepers: dict[str, str | None]
    variants: str


def _draw_habits(rng: np.random.Generator, *, machine: bool, swung: bool) -> Habits:
    loud: tuple[str | None, ...] = (None, None, "ride", "open")
    return Habits(
        busy=rng.uniform(0.3, 0.9),
        leads_in=rng.uniform(0.0, 0.8),
        drop=0.0 if machine else rng.uniform(0.0, 0.02),
        ghosts=0.0 if machine or swung else rng.uniform(0.0, 0.4),
        keepers={theme: pick(rng, loud if theme == "b" else (None,) * 5 + ("ride",)) for theme in "abc"},
        variants="".join(theme for theme in "abc" if chance(rng, 0.7)),
    )


def write_drums(
    bars: Sequence[Bar],
    grooves: Sequence[Groove],
    themes: Sequence[int],
    plays: Sequence[bool],
    rng: np.random.Generator,
    *,
    machine: bool = False,
    swung: bool = False,
) -> list[Event]:
    """Write the drum part.

    Args:
        bars: of the song.
        grooves: three.
        themes: for each bar which of them is played.
        plays: for each bar whether drums play.
        rng: what draws.
        machine: a drum machine's part: no ghost notes come by chance, fills are rolls.
        swung: fills are in triplets.

    Returns:
        Events in the order of their beats.
    """
    habits = _draw_habits(rng, machine=machine, swung=swung)
    fills = [draw_fill(length, swung, rng, machine=machine) for length in (1, 1, 2, 2, 4, 3)]
    events: list[Event] = []
    filled = False
    for number, bar in enumerate(bars):
        if not plays[number]:
            rested = number > 0 and not plays[number - 1]
            filled = rested and not bar.last and plays[number + 1] and chance(rng, habits.leads_in)
            if filled:  # the drummer leads in
                events += [event._replace(beat=bar.beat + bar.beats - 1 + event.beat) for event in fills[0]]
            continue
        entered = number > 0 and not plays[number - 1]
        if bar.last:
            events += [Event(bar.beat, 2.0, KEYS[drum], 1.0) for drum in ("kick", "crash")]
            continue
        lines = grooves[themes[number]]
        fill, begins = _choose_fill(bar, fills, habits.busy, rng)
        events += _play_bar(bar, lines, begins, habits, rng)
        events += [event._replace(beat=bar.beat + begins + event.beat) for event in fill]
        if (
            (bar.place == 0 and bar.energy > 0.5 and chance(rng, 0.85))
            or (filled and chance(rng, 0.6))
            or (entered and number > 1)
        ):
            events.append(
                Event(bar.beat, 2.0, KEYS[pick(rng, ("crash", "crash", "crash 2"))], float(rng.uniform(0.7, 1.0)))
            )
        filled = bool(fill)
    return sorted(events)


def _choose_fill(
    bar: Bar, fills: list[list[Event]], busy: float, rng: np.random.Generator
) -> tuple[list[Event], float]:
    """The fill of this bar, if it has one, and the beat where the groove ends for it."""
    often = min(1.0, busy + 0.3) if bar.ends_section else busy * 0.35 if bar.place % 4 == 3 else 0.0
    if bar.energy < 0.3 or not chance(rng, often):
        return [], float(bar.beats)
    fill = pick(rng, fills if bar.ends_section else fills[:4])
    length = 1 + int(max(event.beat for event in fill))
    return ([], float(bar.beats)) if length > bar.beats else (fill, float(bar.beats - length))


def _play_bar(bar: Bar, lines: Groove, until: float, habits: Habits, rng: np.random.Generator) -> list[Event]:
    """The groove of a bar until a beat, with what this drummer changes."""
    events = []
    thin = bar.energy < 0.35
    keeper = habits.keepers[bar.theme]
    for drum, pattern in lines.items():
        if thin and drum in (*BACKBEATS[:3], "crash", "open"):
            continue
        played = keeper if keeper and drum == "hat" and not thin else drum
        for start, length, letter in read_steps(_in_bar(pattern, bar.beats), bar.place, bar.beats):
            if start < until - 1e-9 and (not start or not chance(rng, habits.drop)):
                events.append(Event(bar.beat + start, length, KEYS[played], LOUDNESS[letter]))
    if bar.theme in habits.variants and bar.place % 4 == 3 and not thin and "kick" in lines and until == bar.beats:
        events.append(Event(bar.beat + bar.beats - 0.5, 0.5, KEYS["kick"], 0.75))
    if "snare" in lines and not thin and chance(rng, habits.ghosts):
        events.append(Event(bar.beat + pick(rng, (1.75, 2.25, 0.75)), 0.25, KEYS["snare"], 0.28))
    return [event for event in events if event.beat < bar.beat + until - 1e-9]


def _in_bar(pattern: str, beats: int) -> str:
    """A pattern of twelve steps for three beats, as one of sixteen for four."""
    if beats != 3:
        return pattern
    return "|".join(line + "." * 4 if len(line) == 12 else line for line in pattern.split("|"))


def kick_beats(groove: Groove, place: int, beats: int) -> tuple[float, ...]:
    """Where a groove's kick falls in a bar, in quarter notes from its beginning."""
    return tuple(start for start, _, _ in read_steps(_in_bar(groove.get("kick", "X......."), beats), place, beats))
