"""Where stems go and how they are written: names, formats, and a folder that appears whole or not at all."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demix.audio_write import ENCODINGS, MP3_BIT_RATES
from demix.config import STEMS
from demix.errors import DemixError
from demix.files import writing

CLIP_MODES = ("rescale", "clamp", "none")


@dataclass(frozen=True)
class Output:
    """Where and how stems are written.

    Args:
        folder: what everything goes into, in a folder for each model.
        filename: a file's place in there, with `{track}`, `{trackext}` (suffix of the input), `{stem}` and `{ext}`.
        kind: `wav`, `flac` or `mp3`.
        depth: `int16`, `int24` or `float32` (wav only); an mp3 has none.
        mp3_bitrate: in kilobits per second, one of `MP3_BIT_RATES`; low sample rates end at less.
        two_stems: a stem; only it and `no_<stem>`, all the others together, are written.
        clip_mode: what becomes of samples beyond full scale: `rescale` makes all stems of the song quieter by the same
            factor, `clamp` cuts the peaks, `none` leaves them to the format. Float wav holds them and is not rescaled.
        force: write again what is there.

    Raises:
        DemixError: for a value that is not one of these.
    """

    folder: Path = Path("separated")
    filename: str = "{track}/{stem}.{ext}"
    kind: str = "wav"
    depth: str = "int16"
    mp3_bitrate: int = 320
    two_stems: str | None = None
    clip_mode: str = "rescale"
    force: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))  # a str is as good
        if (self.kind, self.depth) not in ENCODINGS:
            held = ", ".join(depth for kind, depth in ENCODINGS if kind == self.kind) or "nothing"
            raise DemixError(f"{self.kind} as {self.depth}: {self.kind} holds {held}; choose that or another format")
        if self.clip_mode not in CLIP_MODES:
            raise DemixError(f"clip mode: expected one of {', '.join(CLIP_MODES)}, received {self.clip_mode!r}")
        if self.two_stems is not None and self.two_stems not in STEMS:
            raise DemixError(f"two stems: expected one of {', '.join(STEMS)}, received {self.two_stems!r}")
        if self.mp3_bitrate not in MP3_BIT_RATES:
            held = ", ".join(map(str, MP3_BIT_RATES))
            raise DemixError(f"mp3 bit rate: expected one of {held} kilobits a second, received {self.mp3_bitrate}")
        if len(set(self.targets("model", "track", ".wav").values())) < len(self.names):
            raise DemixError(f"file name: expected {{stem}} in it, received {self.filename!r}; or stems replace stems")
        suffix = Path(self.filename).suffix.removeprefix(".")
        if suffix != self.kind and any(suffix == kind for kind, _ in ENCODINGS):
            raise DemixError(
                f"file name: expected it to end in .{{ext}} or .{self.kind}, as {self.kind} is written, received "
                f"{self.filename!r}; choose that or another format"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The stems that are written."""
        return STEMS if self.two_stems is None else (self.two_stems, f"no_{self.two_stems}")

    @property
    def rescales(self) -> bool:
        """Whether the loudest sample has to be known before a file can be written."""
        return self.clip_mode == "rescale" and self.depth != "float32"

    def targets(self, model: str, track: str, suffix: str) -> dict[str, Path]:
        """Return the file of each stem that is written.

        Args:
            model: the model's name.
            track: the song's name, perhaps with folders in front.
            suffix: of the song's file, with its dot.

        Raises:
            DemixError: for a file name with unknown fields, or one that leads out of the folder.
        """
        targets = {}
        for stem in self.names:
            try:
                name = self.filename.format(track=track, trackext=suffix.lstrip("."), stem=stem, ext=self.kind)
            except (LookupError, ValueError, AttributeError) as error:
                raise DemixError(
                    f"file name: expected {{track}}, {{trackext}}, {{stem}} and {{ext}} as the only fields, "
                    f"received {self.filename!r}"
                ) from error
            place = Path(name)
            if place.is_absolute() or ".." in place.parts or not place.name:
                raise DemixError(f"file name: expected a place inside the output folder, received {name!r}")
            targets[stem] = self.folder / model / place
        return targets


@contextmanager
def staged(targets: dict[str, Path], home: Path) -> Iterator[dict[str, Path]]:
    """Give the files to write, in a hidden folder beside their places; at the end of the block they move there.

    Where all go to one folder that is not there yet, that folder appears in a single step with all of them in it. When
    the block fails nothing stays. What a killed process left is removed the next time.

    Args:
        targets: stem -> its final place.
        home: a folder on the same disk for the hidden one.

    Raises:
        DemixError: when the folders cannot be made or the files not be moved.
    """
    first = next(iter(targets.values()))
    digest = hashlib.sha256(str(first).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    stage = home / f".demix-{digest}.part"
    parents = {target.parent for target in targets.values()}
    # The hidden folder cannot become one that it lies in.
    together = len(parents) == 1 and not first.parent.exists() and not home.is_relative_to(first.parent)
    made = [folder for folder in (home, *home.parents) if not folder.exists()]
    with writing(first.parent):
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(parents=True)
            yield {
                stem: stage / (target.name if together else f"{stem}{target.suffix}")
                for stem, target in targets.items()
            }
            if together:
                first.parent.parent.mkdir(parents=True, exist_ok=True)
                stage.replace(first.parent)
            else:
                for stem, target in targets.items():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (stage / f"{stem}{target.suffix}").replace(target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            with suppress(OSError):  # after a failure these are empty; otherwise they stay
                for folder in made:
                    folder.rmdir()
