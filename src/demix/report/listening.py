"""What the listening pages of loop songs and of generated songs share: filling a template, reading stems."""

from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt
import soundfile

from demix.errors import DemixError
from demix.files import atomic

FOLDER = "listen"  # beside the page; MP3, which every browser plays


def write_listening_page(folder: Path, template: str, **values: str) -> Path:
    """Fill a template of `assets/` with values, style sheet and player; write `index.html` and return its path."""
    assets = files("demix.report") / "assets"
    css, javascript, text = ((assets / name).read_text(encoding="utf-8") for name in ("page.css", "loops.js", template))
    filled = Template(text).substitute(css=css.strip(), javascript=javascript.strip(), **values)
    page = folder / "index.html"
    with atomic(page) as file:
        file.write(filled.encode())
    return page


def read_stem(path: Path, *, remedy: str) -> tuple[npt.NDArray[np.float32], int]:
    """Return a stem `(channels, samples)` and its sample rate in Hz.

    Raises:
        DemixError: when the file is no audio; `remedy` ends its sentence.
    """
    try:
        waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DemixError(f"{path}: expected audio, received: {error.error_string}; {remedy}") from error
    return waveform.T, rate
