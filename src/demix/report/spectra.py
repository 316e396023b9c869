"""The excerpt seen: per stem, spectrograms and masks of every net beside the truth and the oracle mask.

Frequency runs on a mel-like axis, log10(1 + f / 700 Hz) (O'Shaughnessy 1987), so that the bass has room. Pictures hold
pixels only; axes and labels are text of the page, which stays readable at every width.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from PIL import Image

from demix.config import STEMS
from demix.errors import DemixError
from demix.report.colours import mark
from demix.report.results import Results, System
from demix.report.words import join

Picture = npt.NDArray[np.float64]
ROWS, MOST_COLUMNS = 192, 480
RANGE_DB = 70.0
TICKS_HZ = (200, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
SPECTRUM_COLOURS, MASK_COLOURS = "magma", "cividis"


def draw_spectra(results: Results) -> str:
    """Write the figures of all stems, or a sentence where the folder has no excerpt.

    Raises:
        DemixError: when masks.npz lacks a system or has other shapes than expected.
    """
    path = results.folder / "excerpt" / "masks.npz"
    if not path.is_file():
        return "<p>No excerpt was kept for this comparison.</p>"
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float64) for name in file.files}
    nets = [net for net in results.nets if net.first_run in arrays]
    _check(path, arrays, nets)
    return "\n".join(_stem(results, arrays, nets, index) for index in range(len(STEMS)))


def mask_error(mask: Picture, oracle: Picture, mixture_db: Picture) -> float:
    """Return the mean distance of a mask from the oracle mask, weighted by the mixture's magnitude."""
    weights = 10 ** (mixture_db / 20)
    return float((weights * abs(mask - oracle)).sum() / weights.sum())


def mel_rows(picture: Picture, *, max_hz: float, rows: int = ROWS) -> Picture:
    """Average linear bins `(bins, frames)` into rows of a mel-like axis, `(rows, frames)`, lowest first."""
    top = np.log10(1 + max_hz / 700)
    edges = 700 * (10 ** (np.linspace(0, top, rows + 1)) - 1) / max_hz * len(picture)
    return _average(picture, edges)


def _average(picture: Picture, edges: Picture) -> Picture:
    """Average along the first axis between fractional edges, by differences of the running sum."""
    running = np.concatenate([np.zeros((1, picture.shape[1])), np.cumsum(picture, axis=0)])
    low = np.minimum(edges.astype(int), len(picture) - 1)
    at_edges = running[low] + (edges - low)[:, None] * picture[low]
    return np.asarray(np.diff(at_edges, axis=0) / np.diff(edges)[:, None])


def _stem(results: Results, arrays: dict[str, Picture], nets: Sequence[System], index: int) -> str:
    mixture, truth, stem = arrays["mixture_db"], arrays["truth_db"][index], STEMS[index]
    top = float(mixture.max())
    masks = {"oracle": arrays["oracle"][index], **{net.name: arrays[net.first_run][index] for net in nets}}
    errors = {net.name: mask_error(masks[net.name], masks["oracle"], mixture) for net in nets}
    spectra = [("truth", truth)]
    spectra += [(net.label, mixture + 20 * np.log10(np.maximum(masks[net.name], 1e-4))) for net in nets]
    max_hz = float(results.facts["excerpt"]["max_hz"])
    upper = [
        _image(
            (mel_rows(db, max_hz=max_hz) - top) / RANGE_DB + 1,
            SPECTRUM_COLOURS,
            f"Spectrogram of {stem}: {name}",
        )
        for name, db in spectra
    ]
    labels = ["oracle", *(net.label for net in nets)]
    lower = [
        _image(mel_rows(mask, max_hz=max_hz), MASK_COLOURS, f"Mask for {stem}: {label}")
        for label, mask in zip(labels, masks.values(), strict=True)
    ]
    heads = ["Truth", *(mark(net.colour) + escape(net.label) for net in nets)]
    mask_heads = ["Oracle mask", *(f"{escape(net.label)} mask" for net in nets)]
    times = f'<div class="times"><span>0</span><span>{results.facts["excerpt"]["seconds"]:g} s</span></div>'
    axis = _axis(max_hz)
    grid = ["<div></div>", *map(_head, heads), axis, *upper, "<div></div>", *map(_head, mask_heads), axis, *lower]
    grid += ["<div></div>", *([times] * len(labels))]
    title = _title(stem, nets, errors) if truth.max() > top - RANGE_DB else f"{stem.capitalize()}: silent here"
    return (
        f'<figure class="spectra" style="--columns: {len(labels)}"><figcaption><h3>{title}</h3>'
        f'</figcaption><div class="grid">{"".join(grid)}</div></figure>'
    )


def _title(stem: str, nets: Sequence[System], errors: dict[str, float]) -> str:
    ranked = sorted(nets, key=lambda net: errors[net.name])
    distances = join([f"{escape(net.label)} {errors[net.name]:.2f}" for net in ranked])
    lead = f": the {escape(ranked[0].label)}’s mask lies nearest the oracle’s" if len(ranked) > 1 else ""
    if len(ranked) > 1 and f"{errors[ranked[0].name]:.2f}" == f"{errors[ranked[1].name]:.2f}":
        lead = ": the masks lie equally far from the oracle’s"
    return f"{stem.capitalize()}{lead} <small>(mean distance {distances})</small>"


def _head(content: str) -> str:
    return f'<div class="head">{content}</div>'


def _axis(max_hz: float) -> str:
    top = np.log10(1 + max_hz / 700)
    ticks = [
        f'<i style="bottom: {100 * np.log10(1 + hz / 700) / top:.1f}%">{hz if hz < 1000 else f"{hz // 1000}k"}</i>'
        for hz in TICKS_HZ
        if hz < 0.97 * max_hz
    ]
    return f'<div class="axis" aria-hidden="true">{"".join(ticks)}</div>'


def _image(values: Picture, colours: str, text: str) -> str:
    if values.shape[1] > MOST_COLUMNS:
        values = _average(values.T, np.linspace(0, values.shape[1], MOST_COLUMNS + 1)).T
    pixels = colormaps[colours](np.clip(values[::-1], 0, 1), bytes=True)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "WEBP", quality=78, method=4)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/webp;base64,{data}">'


def ramp(low: str, colours: str, high: str) -> str:
    """Return a strip that shows a colour scale between the words for its lowest and its highest value."""
    stops = [colormaps[colours](x) for x in np.linspace(0, 1, 9)]
    css = ", ".join("#" + "".join(f"{round(255 * value):02x}" for value in stop[:3]) for stop in stops)
    strip = f'<span class="ramp" style="background: linear-gradient(90deg, {css})"></span>'
    return f'<span class="scale">{low}{strip}{high}</span>'


def _check(path: Path, arrays: dict[str, Picture], nets: Sequence[System]) -> None:
    missing = {"mixture_db", "truth_db", "oracle"} - set(arrays)
    shape = (len(STEMS), *arrays.get("mixture_db", np.zeros((0, 0))).shape)
    wrong = [name for name in ("truth_db", "oracle", *(net.first_run for net in nets)) if name not in missing]
    wrong = [name for name in wrong if arrays[name].shape != shape]
    if missing or wrong:
        raise DemixError(
            f"{path}: expected mixture_db (bins, frames) and truth_db, oracle and one mask a net of (stems, bins, "
            f"frames), received {join(sorted(arrays))} with {join(sorted(missing | set(wrong)))} missing or of another "
            "shape; evaluate again"
        )
