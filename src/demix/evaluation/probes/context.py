"""The context curve: what a frame loses when a net hears only what lies within a radius of it.

Everything farther than `r` seconds from a frame is replaced, by another song of the same level or by silence, and the
frame is separated again. The frame's own samples never change (its window ends within the smallest radius), so all
that changes is what the net knows of the surroundings. Where the curve goes flat is how far the net listens. Two fills,
because neither is neutral: silence is something no net has been trained on, and another song is a false witness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.listening import REACHED_SHARE, find_bracket
from demix.evaluation.probes.moments import Floats, Moments, energy
from demix.evaluation.probes.probed import ProbedNet

SMALLEST_SECONDS = 0.1
RADII = 8  # between the smallest and the largest, both included; then bisection where the curve ends
PRECISION = 1.2  # neighbouring radii between which a listening radius lies are closer than this factor
FADE_SECONDS = 0.005  # from music to fill, outside of the radius: a cut would click
BATCH = 4  # windows that a GPU takes at a time; a CPU is fastest with one

Fill = Literal["song", "silence"]
FILLS: tuple[Fill, ...] = ("song", "silence")


class _Point(NamedTuple):
    """What one radius does: energies `(moments, stems)` of the estimates' errors and of their change."""

    error: Floats
    change: Floats


@dataclass(frozen=True)
class Curve:
    """Energies at the probed frames, summed over channels and bins.

    Args:
        track: the song.
        fill: what took the context's place.
        radii: in seconds, rising; the last is the end of the window, where nothing is replaced.
        error: of the difference between true stem and estimate, `(radii, moments, stems)`; the last is with all
            context.
        change: of the difference between the estimate and the one with all context, alike.
        reference: of the true stems, `(moments, stems)`.
        sounding: where a stem is heard at all, `(moments, stems)`; the rest counts nowhere.
    """

    track: str
    fill: Fill
    radii: Floats
    error: Floats
    change: Floats
    reference: Floats
    sounding: np.ndarray

    def relative_change(self) -> Floats:
        """Change over the true stem's energy, both pooled over moments: `(radii, stems + 1)`.

        The last column is the mean of the stems that sound; a stem that never sounds has NaN.
        """
        reference = (self.reference * self.sounding).sum(axis=0)
        change = (self.change * self.sounding).sum(axis=1)
        relative = np.divide(change, reference, out=np.full_like(change, np.nan), where=reference > 0)
        heard = relative[:, reference > 0]
        mean = heard.mean(axis=1) if heard.size else np.full(len(relative), np.nan)
        return np.column_stack([relative, mean])


def first_radii(net: ProbedNet) -> list[float]:
    """Return radii in seconds, evenly spaced in their logarithm, up to where a fifth of the window is replaced."""
    largest = REACHED_SHARE * net.reach / SAMPLE_RATE
    smallest = max(SMALLEST_SECONDS, net.stft.n_fft / 2 / SAMPLE_RATE)
    return [float(radius) for radius in np.geomspace(smallest, largest, RADII)]


def measure_curve(
    net: ProbedNet, moments: Moments, *, fill: Fill, radii: Sequence[float] | None = None, refine: bool = True
) -> Curve:
    """Measure the curve of one net on one song.

    Args:
        net: the net.
        moments: of the song.
        fill: what takes the place of the context.
        radii: in seconds, rising, from half of the transform's window on and less than the net's reach; `first_radii`
            by default.
        refine: add radii by bisection, in their logarithm, between the two where a stem's change falls to its last
            hundredth, until they are closer than `PRECISION`.
    """
    windows = torch.from_numpy(moments.mixtures)
    fillers = torch.from_numpy(moments.fillers) if fill == "song" else torch.zeros_like(windows)
    whole = _estimate(net, moments, windows)
    errors_of_whole = energy(moments.stem_spectra - whole)

    def measure(radius: float) -> _Point:
        estimate = _estimate(net, moments, replace_context(windows, fillers, radius_seconds=radius))
        return _Point(energy(moments.stem_spectra - estimate), energy(estimate - whole))

    points = {radius: measure(radius) for radius in radii or first_radii(net)}
    points[net.reach / SAMPLE_RATE] = _Point(errors_of_whole, np.zeros_like(errors_of_whole))

    def build() -> Curve:
        ordered = sorted(points)
        error = np.stack([points[radius].error for radius in ordered])
        change = np.stack([points[radius].change for radius in ordered])
        reference, sounding = moments.reference(), moments.sounding()
        return Curve(moments.track, fill, np.array(ordered), error, change, reference, sounding)

    while refine:
        curve = build()
        brackets = [find_bracket(curve.radii, column) for column in curve.relative_change().T]
        wide = [pair for pair in brackets if pair and pair[1] / pair[0] > PRECISION]
        middles = {float(np.sqrt(low * high)) for low, high in wide}
        if not middles:
            break
        points |= {middle: measure(middle) for middle in sorted(middles)}
    return build()


def replace_context(windows: torch.Tensor, fillers: torch.Tensor, *, radius_seconds: float) -> torch.Tensor:
    """Keep what lies within the radius of the middle, and let the rest be the filler.

    Args:
        windows: `(..., samples)`; the middle is sample `samples // 2`.
        fillers: like `windows`.
        radius_seconds: samples up to there, this one included, are not changed at all.
    """
    samples = windows.shape[-1]
    beyond = (torch.arange(samples) - samples // 2).abs() - round(radius_seconds * SAMPLE_RATE)
    fade = (beyond / (FADE_SECONDS * SAMPLE_RATE)).clamp(0, 1)
    kept = (1 + torch.cos(fade * torch.pi)) / 2
    return torch.where(beyond <= 0, windows, kept * windows + (1 - kept) * fillers)


def _estimate(net: ProbedNet, moments: Moments, windows: torch.Tensor) -> np.ndarray:
    """Separate the probed frame of every window: `(moments, stems, channels, bins)`."""
    batch = 1 if net.device.type == "cpu" else BATCH
    parts = (windows[first : first + batch] for first in range(0, len(windows), batch))
    masks = np.concatenate([net.masks(part) for part in parts])
    return masks * moments.mixture_spectra[:, None]
