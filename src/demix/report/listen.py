"""The excerpt heard: every stem of every net beside the truth, as MP3 inside the page.

MP3 is the one format that every browser plays from a data URI. All files get the same encoder quality, the best that
fits, so that no net sounds better than another because of the encoder.
"""

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from demix.config import STEMS
from demix.errors import DemixError
from demix.report.colours import mark
from demix.report.results import Results
from demix.report.words import decibels

# Variable bit rates, best first (libsndfile: 0 = best, 1 = smallest); music comes to about 70 ... 40 kbit/s.
COMPRESSION_LEVELS = (0.5, 0.7, 0.85, 0.99)
BUDGET_BYTES = 2_000_000


def draw_player(results: Results) -> str:
    """Write the player: one row a stem, one column a system; a sentence where the folder has no excerpt."""
    folder = results.folder / "excerpt"
    voices = [("truth", "Truth", "oracle", "")]
    voices += [(net.first_run, net.label, net.colour, net.name) for net in results.nets]
    paths = {(name, stem): folder / f"{name}-{stem}.flac" for name, *_ in voices for stem in STEMS}
    mixture = folder / "mixture.flac"
    sounds = embed(path for path in (mixture, *paths.values()) if path.is_file())
    if not sounds:
        return "<p>No excerpt was kept for this comparison.</p>"
    rows = []
    if mixture in sounds:
        rows.append(_row("Before separation", [_cell("Mixture", "the song", None, "mixture", sounds[mixture], "")]))
    for stem in STEMS:
        cells = []
        for name, label, colour, system in voices:
            if (path := paths[name, stem]) in sounds:
                score = results.score("sdr", system, stem) if system else None
                note = "original" if not system else f"sdr {decibels(score, digits=1)} dB"
                cells.append(_cell(label, note, colour if system else None, stem, sounds[path], system))
        rows.append(_row(stem.capitalize(), cells))
    seconds = soundfile.info(next(iter(sounds))).duration
    return (
        f'<div class="player" style="--columns: {len(voices)}">\n<div class="transport">'
        '<button type="button" class="play">Play</button>'
        f'<input type="range" min="0" max="{seconds:.3f}" step="0.01" value="0" aria-label="Position in the excerpt">'
        f"<output>0.0 / {seconds:.1f} s</output>"
        '<label><input type="checkbox" checked> Repeat</label></div>\n' + "\n".join(rows) + "\n</div>"
    )


def embed(files: Iterable[Path], *, budget_bytes: int = BUDGET_BYTES) -> dict[Path, str]:
    """Encode audio files as MP3 data URIs that together stay under a budget.

    Args:
        files: audio files that soundfile reads.
        budget_bytes: most bytes of MP3 wanted in the page, before base64 adds a third. Where even the smallest
            quality takes more, that one is used.

    Returns:
        The data URI of every file.

    Raises:
        DemixError: for a file that is not audio.
    """
    waves = {path: read_sound(path) for path in files}
    encoded: dict[Path, bytes] = {}
    for level in COMPRESSION_LEVELS:
        encoded = {path: _mp3(wave, rate, level) for path, (wave, rate) in waves.items()}
        if sum(map(len, encoded.values())) <= budget_bytes:
            break
    return {path: f"data:audio/mpeg;base64,{base64.b64encode(data).decode()}" for path, data in encoded.items()}


def read_sound(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a sound file's wave `(samples, channels)` and its sample rate.

    Raises:
        DemixError: when the file is not audio.
    """
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DemixError(f"{path}: expected audio, received: {error.error_string}; evaluate again") from error
    return wave, rate


def _mp3(wave: npt.NDArray[np.float32], rate: int, level: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=level)
    return buffer.getvalue()


def _row(title: str, cells: list[str]) -> str:
    return f"<fieldset><legend>{escape(title)}</legend>\n" + "\n".join(cells) + "</fieldset>"


def _cell(label: str, note: str, colour: str | None, stem: str, source: str, system: str) -> str:
    name = escape(f"{stem}, {label}")
    return (
        f'<div class="cell" style="--colour: var(--{colour or "muted"})">'
        f'<button type="button" aria-label="{name}, {escape(note)}" aria-pressed="false">{mark(colour)}{escape(label)}'
        f'<small>{escape(note)}</small></button><span class="fallback">{mark(colour)}{escape(label)}</span>'
        f'<audio controls preload="auto" aria-label="{name}" data-system="{escape(system)}" data-stem="{stem}" '
        f'src="{source}"></audio></div>'
    )
