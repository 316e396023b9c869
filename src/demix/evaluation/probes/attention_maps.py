"""What single tokens of a ViT attend to, as maps to lay over a spectrogram."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from demix.config import SAMPLE_RATE
from demix.data.track import Audio
from demix.evaluation.probes.attention import attend, grid_of
from demix.evaluation.probes.moments import BLOCK, Moments
from demix.evaluation.probes.probed import ProbedNet
from demix.models import ViT
from demix.models.bands import band_edges

SECONDS = 12.0  # of the picture: some six bars
QUERY_HZ = (100.0, 1000.0, 6000.0)  # kick and bass, voices, cymbals


@dataclass(frozen=True)
class Maps:
    """Attention maps of one net.

    Args:
        arrays: `maps` `(queries, rows, columns)`: what each query attends to in the last layer, mean of the heads;
            `query` `(queries, 2)`: the row and the column of each; `layers` `(layers, rows, columns)`: what the first
            query attends to in every layer. A map's weights add up to 1. `spectrum_db` `(bands, frames)`: the
            mixture's level in the net's bands, re 1.
        facts: how to lay them over a spectrogram.
    """

    arrays: dict[str, npt.NDArray[Any]]
    facts: dict[str, object]


@dataclass(frozen=True)
class Scene:
    """The passage of the picture.

    Args:
        track: the song's name.
        start: its first sample in the song.
        mixture: `(channels, samples)`.
    """

    track: str
    start: int
    mixture: Audio

    def describe(self) -> dict[str, object]:
        """Return the opening of `attention.json`."""
        seconds = self.mixture.shape[-1] / SAMPLE_RATE
        return {"track": self.track, "start_seconds": self.start / SAMPLE_RATE, "seconds": seconds}


def choose_scene(moments: Moments) -> Scene:
    """Return what is around the first moment, `SECONDS` of it or all of its window."""
    half = min(moments.reach, int(SECONDS / 2 * SAMPLE_RATE) // BLOCK * BLOCK)
    first = moments.reach - half
    return Scene(moments.track, moments.starts[0] + first, moments.mixtures[0, :, first : first + 2 * half])


def draw_maps(net: ProbedNet, scene: Scene) -> Maps | None:
    """Return the maps of a ViT, None for another net.

    The queries are at `QUERY_HZ` in the column of the middle third of the scene whose level rises most: a beat.
    """
    vit = net.net
    if not isinstance(vit, ViT):
        return None
    spectra = net.spectra(scene.mixture[None])
    height, width = vit.patch_size
    rows, columns = grid_of(vit, spectra.shape[-2])
    edges = band_edges(vit.features.bands, net.stft.bins)
    band_hz = np.array([*edges[:-1:height], edges[-1]]) * SAMPLE_RATE / net.stft.n_fft
    band_hz[-1] = SAMPLE_RATE / 2
    query_rows = np.unique(np.clip(np.searchsorted(band_hz, QUERY_HZ, side="right") - 1, 0, rows - 1))
    column = _find_beat(spectra, width, columns)
    queries = torch.tensor(query_rows * columns + column, device=net.device)
    weights = attend(vit, spectra, queries).mean(dim=1).reshape(-1, len(queries), rows, columns).cpu().numpy()
    return Maps(
        arrays={
            "maps": weights[-1].astype(np.float32),
            "query": np.array([(row, column) for row in query_rows]),
            "layers": weights[:, 0].astype(np.float32),
            "spectrum_db": _levels_db(vit, spectra),
        },
        facts={
            "rows": rows,
            "columns": columns,
            "patch_bands": height,
            "patch_frames": width,
            "hop_length": net.stft.hop_length,
            "band_hz": [round(float(edge), 2) for edge in band_hz],
        },
    )


def _levels_db(vit: ViT, spectra: torch.Tensor) -> npt.NDArray[np.float16]:
    """Return the level of each of the net's bands in every frame, mean over channels, -80 dB at least."""
    power = vit.features.pool @ spectra.square().sum(-1).mean(1)[0]
    return (10 * torch.log10(power.clamp(min=1e-8))).cpu().numpy().astype(np.float16)


def _find_beat(spectra: torch.Tensor, width: int, columns: int) -> int:
    """Return the column of the middle third in which the spectrum rises most (spectral flux, Masri 1996)."""
    level = torch.log1p(spectra.square().sum(-1)).mean(1)[0]
    rise = level.diff(dim=-1, prepend=level[:, :1]).clamp(min=0).sum(0).cpu().numpy()
    of_column = np.add.reduceat(rise, np.arange(0, len(rise), width))
    third = columns // 3
    return third + int(np.argmax(of_column[third : max(third + 1, columns - third)]))
