"""The score that chooses among checkpoints: `sdr` on the validation songs."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from demix import config
from demix.config import STEMS
from demix.data.stored import StoredTrack
from demix.metrics import mean_of_defined, sdr
from demix.pretrained import make_separator


def validate(
    net: nn.Module,
    tracks: Sequence[StoredTrack],
    *,
    settings: config.Config,
    device: torch.device,
    on_progress: Callable[[float], None] | None = None,
) -> float:
    """Return the mean `sdr` in dB over the validation songs of the mean over their sounding stems."""
    separator = make_separator(net, settings, device=device)
    scores = []
    for index, track in enumerate(tracks):
        audio = track.audio().astype(np.float32) * np.float32(track.scale)
        stems = audio[: len(STEMS)]
        mixture = audio[len(STEMS)] if track.has_mixture else stems.sum(axis=0)

        def report(share: float, done: int = index) -> None:
            if on_progress:
                on_progress((done + share) / len(tracks))

        estimates = separator.separate(mixture, on_progress=report)
        scores.append(mean_of_defined(sdr(stems, np.stack([estimates[stem] for stem in STEMS]))))
    return float(mean_of_defined(np.array(scores)))
