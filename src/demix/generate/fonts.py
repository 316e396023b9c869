"""The SoundFonts that songs are played from: where Debian puts them, what they allow, what they are known by."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demix.errors import DemixError

FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
EDGE_BYTES = 1 << 20  # of a file's beginning and end, which with its size tell it from others


@dataclass(frozen=True)
class Font:
    """A SoundFont that is installed.

    Args:
        name: a key of `FONTS` or `DRUM_FONTS`.
        path: the file.
        identity: letters that stand for the file's content.
        licence: what it may be used under.
    """

    name: str
    path: Path
    identity: str
    licence: str


# name: (file names, licence, Debian package)
FONTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "musescore": (
        ("MuseScore_General_Full.sf3", "MuseScore_General.sf3", "MuseScore_General.sf2"),
        "MIT: MuseScore General by S. Christian Collins and others, after FluidR3 by Frank Wen and others",
        "musescore-general-soundfont",
    ),
    "fluid": (("FluidR3_GM.sf2",), "MIT: Fluid (R3) by Frank Wen and others", "fluid-soundfont-gm"),
}
DRUM_FONTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "black-pearl": (
        ("Black_Pearl_4_LV2.sf2",),
        "CC BY-SA 3.0: Black Pearl by Glen MacArthur (AVL Drumkits)",
        "avldrums.lv2-soundfont",
    ),
    "red-zeppelin": (
        ("Red_Zeppelin_4_LV2.sf2",),
        "CC BY-SA 3.0: Red Zeppelin by Glen MacArthur (AVL Drumkits)",
        "avldrums.lv2-soundfont",
    ),
}


def find_fonts(folders: Sequence[Path] = FOLDERS) -> tuple[Font, ...]:
    """Return the General MIDI SoundFonts that are installed, at least one.

    Args:
        folders: where to look; the first file found counts.

    Raises:
        DemixError: when there is none.
    """
    if found := _find(FONTS, folders):
        return found
    packages = " ".join(package for *_, package in FONTS.values())
    raise DemixError(
        f"expected a SoundFont ({', '.join(names[0] for names, *_ in FONTS.values())}) in "
        f"{', '.join(map(str, folders))}, found none; apt-get install {packages}"
    )


def find_drum_fonts(folders: Sequence[Path] = FOLDERS) -> tuple[Font, ...]:
    """Return the drum SoundFonts that are installed, perhaps none."""
    return _find(DRUM_FONTS, folders)


def _find(fonts: dict[str, tuple[tuple[str, ...], str, str]], folders: Sequence[Path]) -> tuple[Font, ...]:
    found = []
    for name, (files, licence, _) in fonts.items():
        paths = [folder / file for file in files for folder in folders if (folder / file).is_file()]
        if paths:
            found.append(Font(name, paths[0], _identify(paths[0]), licence))
    return tuple(found)


def _identify(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(EDGE_BYTES))
        file.seek(max(0, size - EDGE_BYTES), os.SEEK_SET)
        digest.update(file.read())
    return digest.hexdigest()[:12]
