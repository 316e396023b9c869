"""The effective receptive field: from where in time a frame's masks would change if the music changed a little.

Luo et al. 2016, *Understanding the Effective Receptive Field in Deep Convolutional Neural Networks*: the gradient of
the output at one point with respect to the input, with random signs for the outputs that are summed, squared, averaged
over inputs. It tells of small changes where the context curve tells of replacing the music; a net can be sensitive far
away and not need it.

The gradient is taken with respect to the logarithm of every cell's magnitude, that is `Re(conj(X) dL/dX)`: what the
masks would do if a cell were some dB louder. With respect to the spectrum itself, the cells of quiet frames would have
the largest gradients, because the nets see logarithms.
"""

from collections.abc import Sequence

import numpy as np
import torch

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.moments import Floats, Moments
from demix.evaluation.probes.probed import ProbedNet
from demix.spectral import STFT

INSIDE_SHARE = 0.95  # of the squared gradient


def field_shares(net: ProbedNet, moments: Moments, *, seed: int = 0) -> Floats:
    """Return the share of the squared gradient in every frame of the window, `(moments, frames)`.

    Summed are the probed frame's logits, by band where the net has bands, less their mean over the stems (which no
    softmax shows), each with a random sign. Squares are summed over channels and bins, and every moment's shares add up
    to 1, so that no moment outweighs the others; a net whose masks do not depend on the music at all has NaN.
    """
    generator = torch.Generator().manual_seed(seed)
    shares = []
    for window in torch.from_numpy(moments.mixtures):
        spectrum = net.spectra(window[None]).requires_grad_()
        logits = net.net(spectrum, by_band=True)[..., net.middle]
        logits = logits - logits.mean(dim=1, keepdim=True)
        signs = torch.randint(2, logits.shape, generator=generator).to(logits.device) * 2 - 1
        (gradient,) = torch.autograd.grad((signs * logits).sum(), spectrum)
        of_level = (gradient * spectrum.detach()).sum(-1).double()
        of_frames = of_level.square().sum(dim=(0, 1, 2)).cpu().numpy()
        total = of_frames.sum()
        shares.append(of_frames / total if total > 0 else np.full_like(of_frames, np.nan))
    return np.stack(shares)


def average_fields(songs: Sequence[Floats]) -> Floats:
    """Average shares `(moments, frames)` of several songs over all moments; beyond a shorter window nothing was heard.

    Returns:
        `(frames,)`, as many as the longest window has; NaN where every moment's shares are.
    """
    frames = max(song.shape[-1] for song in songs)
    padded = np.concatenate([np.pad(song, ((0, 0), ((frames - song.shape[-1]) // 2,) * 2)) for song in songs])
    defined = padded[np.isfinite(padded).all(axis=-1)]
    return defined.mean(axis=0) if len(defined) else np.full(frames, np.nan)


def field_offsets(stft: STFT, frames: int) -> Floats:
    """Return the time of every frame of a window from the one in its middle, in seconds."""
    return (np.arange(frames) - frames // 2) * stft.hop_length / SAMPLE_RATE


def field_radius(offsets: Floats, shares: Floats) -> float:
    """Return the radius in seconds that holds 95 % of the shares, each spread evenly over its frame's hop.

    Args:
        offsets: in seconds, evenly spaced, 0 in the middle.
        shares: alike; they add up to 1.
    """
    if not np.isfinite(shares).all():
        return float("nan")
    hop = float(offsets[1] - offsets[0])
    middle = len(offsets) // 2
    sides = shares[middle + 1 :] + shares[:middle][::-1]
    inside = np.concatenate([[0.0, shares[middle]], shares[middle] + np.cumsum(sides)]) / shares.sum()
    radii = np.concatenate([[0.0], (np.arange(middle + 1) + 0.5) * hop])
    return float(np.interp(INSIDE_SHARE, inside, radii))
