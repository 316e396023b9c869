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
from demix.training.distributed import ALONE, Ranks


def validate(
    net: nn.Module,
    tracks: Sequence[StoredTrack],
    *,
    settings: config.Config,
    device: torch.device,
    on_progress: Callable[[float], None] | None = None,
    ranks: Ranks = ALONE,
) -> float:
    """Return the mean `sdr` in dB over the validation songs of the mean over their sounding stems.

    Ranks share the songs and all return the same.
    """
    separator = make_separator(net, settings, device=device)
    scores = {}
    share = ranks.share(len(tracks))
    for done, index in enumerate(share):
        track = tracks[index]
        audio = track.audio().astype(np.float32) * np.float32(track.scale)
        stems = audio[: len(STEMS)]
        mixture = audio[len(STEMS)] if track.has_mixture else stems.sum(axis=0)

        def report(part: float, done: int = done) -> None:
            if on_progress:
                on_progress((done + part) / len(share))

        estimates = separator.separate(mixture, on_progress=report)
        scores[index] = float(mean_of_defined(sdr(stems, np.stack([estimates[stem] for stem in STEMS]))))
    of_all = {index: score for part in ranks.gather(scores) for index, score in part.items()}
    return float(mean_of_defined(np.array([of_all[index] for index in range(len(tracks))])))
