"""One song with one net: read, separated and written block by block; its outcome says what became of it."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demix.audio_read import AudioSource, layout_for
from demix.audio_write import ENCODINGS, GREATEST_CHANNELS, MP3_RATES, greatest_mp3_bit_rate, lost_tags
from demix.channels import separate_blocks
from demix.config import SAMPLE_RATE
from demix.data.room import require_room
from demix.errors import DemixError
from demix.output import Output, staged
from demix.songs import Song
from demix.stem_files import StemFiles

if TYPE_CHECKING:
    from demix.separator import Separator

FLOAT_BYTES = 4
NAMED_TAGS = 6  # the rest is counted


@dataclass(frozen=True)
class Progress:
    """How far a song is.

    Args:
        song: what it is called.
        model: the model's name.
        done_seconds: of music, separated so far.
        total_seconds: the song's length by its header; None where that is silent.
    """

    song: str
    model: str
    done_seconds: float
    total_seconds: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of a song.

    Args:
        song: what it is called.
        model: the model's name.
        status: `done`, `skipped` (its stems are there) or `failed`.
        stems: stem -> its file.
        seconds: length of the music.
        elapsed: seconds that it took.
        sample_rate: of the stems, in Hz.
        channels: of the stems.
        notes: what the user should know, a phrase each.
        error: why it failed, one sentence.
    """

    song: str
    model: str
    status: str
    stems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    elapsed: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    notes: list[str] = field(default_factory=list)
    error: str | None = None


Listener = Callable[[Progress | Outcome], None]


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
        owner: another song of the same run that has one of these files already.
        tell: is told progress and outcome.
        stop: ends the job at its next block when set.
    """

    song: Song
    model: str
    separator: "Separator"
    output: Output
    targets: dict[str, Path]
    owner: Song | None
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
        if self.owner is not None:
            raise DemixError(
                f"{self.song.label}: its stems would have the same names as those of {self.owner.label}; "
                "put {track} and {trackext} into the file name, or separate them one by one into other folders"
            )
        if not self.output.force and all(target.is_file() for target in self.targets.values()):
            return Outcome(self.song.label, self.model, "skipped", names)
        with AudioSource(self.song.path) as source:
            keep_rate = self.output.kind != "mp3" or source.sample_rate in MP3_RATES
            rate = source.sample_rate if keep_rate else SAMPLE_RATE
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
        return samples

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
