"""Generated songs as a data set: a folder a song, made by several processes, whole or not there.

A song is a function of the seed, its number and the sound sources. What is there is kept, so that the same command goes
on where it was interrupted and a greater number adds songs.
"""

import json
import math
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from demix.config import STEMS
from demix.data.store import end_with_parent
from demix.errors import DemixError
from demix.files import atomic_folder, read_record
from demix.generate.compose import write_song
from demix.generate.drum_loops import find_loops
from demix.generate.drum_sources import hydrogen_kits, one_shots
from demix.generate.effects import sounds
from demix.generate.fonts import find_drum_fonts, find_fonts
from demix.generate.mix import Instruments, mix
from demix.generate.note_bank import NoteBank
from demix.generate.score import Section, Song
from demix.generate.singers import Bank, open_bank, sing
from demix.generate.song_files import RECORD_FILE, check_out, write_flac, write_lists

FORMAT = 4  # raise it when the same seed makes other songs
LEAST_SECONDS = 5.0  # of songs that are cut: hardly one waits longer for its first note
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Plan:
    """What to make.

    Args:
        out: folder of the data set.
        songs: how many.
        seed: of all of them.
        vocals: folders with singing.
        loops: folders with drum loops.
        cache: folder of what is kept between songs and runs.
        longest_seconds: songs are cut there, at least 5; None leaves them as they are.
    """

    out: Path
    songs: int
    seed: int
    vocals: tuple[Path, ...]
    loops: tuple[Path, ...]
    cache: Path
    longest_seconds: float | None = None


@dataclass(frozen=True)
class Studio:
    """All that songs are made of, opened once."""

    instruments: Instruments
    singers: Bank


def open_studio(plan: Plan, on_source: Callable[[str], None] | None = None) -> Studio:
    """Open the sound sources.

    Args:
        plan: names their folders.
        on_source: told the name of each singer's recording whose phrases are cut now, which takes a while.

    Raises:
        DemixError: when FluidSynth, every SoundFont, or a folder is missing, or a file cannot be read.
    """
    bank = NoteBank(plan.cache / "notes")
    loops = find_loops(plan.loops)
    instruments = Instruments(find_fonts(), find_drum_fonts(), [*hydrogen_kits(), *one_shots()], loops, bank)
    singers = open_bank(plan.vocals, cache=plan.cache / "phrases", on_source=on_source)
    return Studio(instruments, singers)


def make_songs(
    plan: Plan,
    *,
    jobs: int = 1,
    on_song: Callable[[str], None] | None = None,
    on_source: Callable[[str], None] | None = None,
    prepare: Callable[[], object] | None = None,
) -> list[Path]:
    """Make the songs of a plan that are not there yet, and the lists of all that are.

    Args:
        plan: what to make.
        jobs: processes.
        on_song: told the name of every song that is there, in the order in which they get ready.
        on_source: as for `open_studio`.
        prepare: called first in every process; a function of a module.

    Returns:
        The songs' folders.

    Raises:
        DemixError: for a plan that cannot be carried out; songs that are done stay.
    """
    if plan.songs < 1 or plan.seed < 0 or jobs < 1:
        raise DemixError(
            f"generate: expected at least one song, one job and a seed from 0, received {plan.songs} songs, "
            f"{jobs} jobs, seed {plan.seed}; change the options"
        )
    longest = plan.longest_seconds
    if longest is not None and not LEAST_SECONDS <= longest < math.inf:
        raise DemixError(
            f"generate: expected songs of {LEAST_SECONDS:g} seconds or more, received {longest:g}; change --longest"
        )
    check_out(plan.out, {song_folder(plan, number) for number in range(plan.songs)})
    told = on_song or (lambda name: None)
    missing = []
    for number in range(plan.songs):
        if read_record(song_folder(plan, number) / RECORD_FILE).get("made_from") == made_from(plan, number):
            told(song_folder(plan, number).name)
        else:
            missing.append(number)
    if missing:
        if prepare:
            prepare()
        studio = open_studio(plan, on_source)  # here first: what is wrong is said once, caches are filled by one
        if jobs == 1 or len(missing) == 1:
            for number in missing:
                make_song(plan, number, studio)
                told(song_folder(plan, number).name)
        else:
            _make_parallel(plan, missing, jobs, told, prepare)
    write_lists(plan.out)
    return [song_folder(plan, number) for number in range(plan.songs)]


def make_song(plan: Plan, number: int, studio: Studio) -> None:
    """Write, play, mix and save one song; its folder appears whole."""
    seed = song_seed(plan, number)
    song = write_song(seed)
    if plan.longest_seconds is not None:
        song = shorten(song, plan.longest_seconds)
    vocals = sing(song, studio.singers, np.random.default_rng([seed, 1]))
    stems, sources = mix(song, vocals, studio.instruments, np.random.default_rng([seed, 2]))
    folder = song_folder(plan, number)
    with atomic_folder(folder, mark=RECORD_FILE) as part:
        for stem, wave in zip(STEMS, stems, strict=True):
            if sounds(wave):  # a stem without a file is silence
                write_flac(part / f"{stem}.flac", wave)
        record = {
            "made_from": made_from(plan, number),
            "song": folder.name,
            "seed": seed,
            "style": song.style,
            "bpm": song.bpm,
            "tonic": NOTES[song.tonic],
            "scale": list(song.scale),
            "seconds": song.seconds,
            "programs": {each.name: each.program for each in song.parts if each.stem != "vocals"},
            "sections": [asdict(section) for section in song.sections],
            "sources": sources,
        }
        (part / RECORD_FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")


def song_folder(plan: Plan, number: int) -> Path:
    """Return where a song lies; its name is unique also among songs of other seeds."""
    return plan.out / "train" / f"generated-{plan.seed}-{number:05d}"


def song_seed(plan: Plan, number: int) -> int:
    """Return the seed of a song."""
    return int(np.random.SeedSequence((plan.seed, number)).generate_state(1)[0])


def made_from(plan: Plan, number: int) -> dict[str, Any]:
    """Return what a song depends on besides what is installed."""
    return {
        "format": FORMAT,
        "seed": plan.seed,
        "number": number,
        "vocals": [str(folder) for folder in plan.vocals],
        "loops": [str(folder) for folder in plan.loops],
        "longest_seconds": plan.longest_seconds,
    }


def shorten(song: Song, seconds: float) -> Song:
    """Cut a song off."""
    if song.seconds <= seconds:
        return song
    parts = tuple(
        replace(part, notes=tuple(note for note in part.notes if note.start < seconds - 0.1)) for part in song.parts
    )
    sections = tuple(
        Section(each.name, each.start, min(each.length, seconds - each.start), each.energy)
        for each in song.sections
        if each.start < seconds
    )
    return replace(song, parts=tuple(part for part in parts if part.notes), sections=sections, seconds=seconds)


_studio: Studio | None = None  # of a worker process


def _open_worker(plan: Plan, prepare: Callable[[], object] | None) -> None:
    global _studio
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    end_with_parent()
    if prepare:
        prepare()
    _studio = open_studio(plan)


def _make_in_worker(plan: Plan, number: int) -> str:
    if _studio is None:
        raise RuntimeError("a worker makes songs after it has opened its studio")
    make_song(plan, number, _studio)
    return song_folder(plan, number).name


def _make_parallel(
    plan: Plan, missing: Sequence[int], jobs: int, told: Callable[[str], None], prepare: Callable[[], object] | None
) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers: one core each
    with ProcessPoolExecutor(
        min(jobs, len(missing)), mp_context=get_context("spawn"), initializer=_open_worker, initargs=(plan, prepare)
    ) as pool:
        waiting = {pool.submit(_make_in_worker, plan, number) for number in missing}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_EXCEPTION, timeout=0.5)
                for each in done:
                    told(each.result())
        except BrokenProcessPool as error:
            raise DemixError(
                f"{plan.out}: a process that made songs was killed, most often for lack of memory; run again with "
                "fewer --jobs (songs that are done are kept)"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
