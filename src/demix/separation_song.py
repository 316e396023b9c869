"""One song with one net: read, separated and written block by block; its outcome says what became of it."""

import math
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demix.audio_read import AudioSource, layout_for
from demix.audio_write import ENCODINGS, GREATEST_CHANNELS, greatest_mp3_bit_rate, lost_tags, writable_rate
from demix.channels import separate_blocks
from demix.data.room import require_room
from demix.errors import DemixError
from demix.output import Output, staged
from demix.separation_events import Listener, Outcome, Progress
from demix.songs import Song
from demix.stem_files import StemFiles

if TYPE_CHECKING:
    from demix.separator import Separator

FLOAT_BYTES = 4
SAME_SECONDS = 0.5  # stems that are this much shorter than a song are not its stems
NAMED_TAGS = 6  # the rest is counted


class _StoppedError(Exception):
    """Another song's thread was told to end."""


@dataclass(frozen=True)
class Job:
    """One song to be separated by one model.

    Args:
        song: the song.
        model: the model's name.
        separator: the model.
        output: how stems are written.
        targets: stem -> its file.
        refusal: why it cannot be separated, one sentence; None if it can.
        tell: is told progress and outcome.
        stop: ends the job at its next block when set.
    """

    song: Song
    model: str
    separator: "Separator"
    output: Output
    targets: dict[str, Path]
    refusal: str | None
    tell: Listener
    stop: threading.Event

    def run(self) -> Outcome:
        """Separate the song and tell the outcome, which may be that it failed."""
        try:
            outcome = self._separate()
        except DemixError as error:
            sentence = str(error).replace(str(self.song.path), self.song.label)
            outcome = Outcome(self.song.label, self.model, "failed", error=sentence)
        except OSError as error:
            sentence = f"{self.song.label}: {error.strerror or error}; check the path and the room on disk"
            outcome = Outcome(self.song.label, self.model, "failed", error=sentence)
        self.tell(outcome)
        return outcome

    def _separate(self) -> Outcome:
        started = time.perf_counter()
        names = {stem: str(target) for stem, target in self.targets.items()}
        if self.refusal is not None:
            raise DemixError(self.refusal)
        self._check_folder()
        if not self.output.force and self._is_done():
            return Outcome(self.song.label, self.model, "skipped", names)
        with AudioSource(self.song.path) as source:
            rate = writable_rate(self.output.kind, source.sample_rate)
            keep_rate = rate == source.sample_rate
            self._check(source, rate)
            notes: list[str] = []
            if not keep_rate:
                notes.append(f"mp3 does not know {source.sample_rate} Hz: written with {rate} Hz")
            if source.channels > self.separator.channels:
                notes.append(
                    f"{source.channels} channels: the net takes {self.separator.channels} at a time, all are kept"
                )
            notes += self._notes_on_format(source.tags, rate)
            with staged(self.targets, self.output.folder / self.model) as paths:
                files = StemFiles(
                    paths,
                    output=self.output,
                    sample_rate=rate,
                    channels=source.channels,
                    layout=layout_for(source.layout, source.channels),
                    tags=source.tags,
                    names=self.targets,
                )
                try:
                    samples = self._write(source, files, rate=rate, keep_rate=keep_rate)
                    gain = files.finish()
                except BaseException:
                    files.abandon()
                    raise
            if 0 < gain < 1:
                quieter_db = max(0.1, -20 * math.log10(gain))  # 0.0 would say that nothing was done
                notes.append(f"all stems turned down by {quieter_db:.1f} dB, or they would clip")
            notes += source.notes
        return Outcome(
            self.song.label,
            self.model,
            "done",
            names,
            seconds=samples / rate,
            elapsed=time.perf_counter() - started,
            sample_rate=rate,
            channels=source.channels,
            notes=notes,
        )

    def _write(self, source: AudioSource, files: StemFiles, *, rate: int, keep_rate: bool) -> int:
        """Carry the song through the net into the files; return its length in samples."""
        samples = 0
        for stems in separate_blocks(
            self.separator, source.blocks(), sample_rate=source.sample_rate, keep_rate=keep_rate
        ):
            if self.stop.is_set():
                raise _StoppedError
            files.write(stems)
            samples += stems.shape[-1]
            self.tell(Progress(self.song.label, self.model, samples / rate, source.seconds))
        if not samples:
            raise DemixError(f"{self.song.label}: too short to be written with {rate} Hz; write wav or flac")
        return samples

    def _check_folder(self) -> None:
        """Raise for a folder, which is here only if nothing could be found in it."""
        if not self.song.path.is_dir():
            return
        if os.access(self.song.path, os.R_OK | os.X_OK):
            raise DemixError(f"{self.song.label}: expected songs in this folder and below, found none; name a song")
        raise DemixError(f"{self.song.label}: expected a folder that can be read; ask for permission or leave it out")

    def _is_done(self) -> bool:
        """Say whether all stems are there; raise when they are too short to be this song's."""
        if not self.song.keeps_stems or not all(target.is_file() for target in self.targets.values()):
            return False
        first = next(iter(self.targets.values()))
        try:
            there = _counted_seconds(first)
        except DemixError:  # what cannot be read is not done
            return False
        due = _counted_seconds(self.song.path)
        if there is not None and due is not None and there < due - SAME_SECONDS:
            raise DemixError(
                f"{self.song.label}: expected its own stems in {first.parent}, but those last {there:.1f} s and the "
                f"song {due:.1f} s; choose another --out, or --force to replace them"
            )
        return True

    def _check(self, source: AudioSource, rate: int) -> None:
        """Raise for channels that the format cannot hold, and for a disk that is too small."""
        most = GREATEST_CHANNELS.get(self.output.kind)
        if most is not None and source.channels > most:
            others = "wav or flac" if source.channels <= GREATEST_CHANNELS["flac"] else "wav"
            raise DemixError(
                f"{self.song.label}: expected at most {most} channels for {self.output.kind}, received "
                f"{source.channels}; write {others}"
            )
        if source.seconds is not None:
            stored = ENCODINGS[self.output.kind, self.output.depth].bytes_per_sample
            each = stored + (FLOAT_BYTES if self.output.rescales else 0)
            samples = source.seconds * rate * source.channels * len(self.output.names)
            require_room({self.output.folder: round(samples * each)})

    def _notes_on_format(self, tags: dict[str, str], rate: int) -> list[str]:
        """Say what the format does not hold of this song and of what was asked for."""
        notes = []
        kind, greatest = self.output.kind, greatest_mp3_bit_rate(rate)
        if kind == "mp3" and self.output.mp3_bitrate > greatest:
            notes.append(f"mp3 of {rate} Hz ends at {greatest} kbit/s")
        lost = lost_tags(kind, tags)
        if lost:
            keeper = "mp3" if lost_tags("flac", lost) else "flac"
            listed = ["".join(sign for sign in name if sign.isprintable()) for name in lost[:NAMED_TAGS]]
            more = f" and {len(lost) - NAMED_TAGS} more" if len(lost) > NAMED_TAGS else ""
            noun, pronoun = ("tag", "it") if len(lost) == 1 else ("tags", "them")
            notes.append(f"{kind} has no place for the {noun} {', '.join(listed)}{more}; --{keeper} keeps {pronoun}")
        return notes


def _counted_seconds(path: Path) -> float | None:
    """Return the length that a file's header counts; longer files may hide behind it, shorter ones do not."""
    with AudioSource(path) as source:
        samples = source.counted_samples()
        return None if samples is None else samples / source.sample_rate
