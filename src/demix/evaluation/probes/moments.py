"""Which moments of a song are probed, and what takes the place of the music around them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demix.data.track import Audio
from demix.spectral import STFT

BLOCK = 1024  # samples; moments are multiples of it
SOUNDING_SHARE = 0.01  # of a stem's own mean power: -20 dB, a rest between notes does not count
AUDIBLE_SHARE = 1e-6  # of the mixture's energy: a stem 60 dB below it is silent
DRAWS = 20  # passages of the other song looked at before the loudest is taken

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Moments of one song, each with the music around it and as much of another song.

    The windows have `2 * reach` samples; the probed frame is centred on sample `reach`.

    Args:
        track: the song's name.
        starts: first sample of every window in the song.
        mixtures: `(moments, channels, 2 * reach)`.
        fillers: another song at the level of each window, like `mixtures`.
        mixture_spectra: of the probed frames, `(moments, channels, bins)`.
        stem_spectra: of the true stems there, `(moments, stems, channels, bins)`.
    """

    track: str
    starts: list[int]
    mixtures: Audio
    fillers: Audio
    mixture_spectra: npt.NDArray[np.complex64]
    stem_spectra: npt.NDArray[np.complex64]

    @property
    def reach(self) -> int:
        """Samples from the middle of a window to its ends."""
        return self.mixtures.shape[-1] // 2

    def reference(self) -> Floats:
        """Energy of every true stem at every moment, `(moments, stems)`."""
        return energy(self.stem_spectra)

    def sounding(self) -> npt.NDArray[np.bool_]:
        """Tell which stems are heard at which moments, `(moments, stems)`; others have no SDR there."""
        return self.reference() > AUDIBLE_SHARE * energy(self.mixture_spectra)[:, None]


def energy(spectra: npt.NDArray[np.complex64]) -> Floats:
    """Sum squared magnitudes `(..., channels, bins)` over channels and bins, in double precision."""
    values = spectra.astype(np.complex128)
    return (values.real**2 + values.imag**2).sum(axis=(-2, -1))


def take_moments(
    stems: Audio, mixture: Audio, other: Audio, *, track: str, stft: STFT, reach: int, count: int, seed: int
) -> Moments:
    """Choose moments of a song and cut out what is around them.

    Args:
        stems: `(stems, channels, samples)`.
        mixture: `(channels, samples)`, longer than `2 * reach`.
        other: the mixture of another song, `(channels, samples)`; repeated where it is shorter than a window.
        track: the song's name.
        stft: transform of the probed nets.
        reach: half of a window in samples.
        count: moments; fewer where the song has no room for them.
        seed: decides moments and passages of the other song.
    """
    rng = np.random.default_rng(seed)
    centres = choose_moments(stems, reach=reach, count=count, rng=rng)
    starts = [centre - reach for centre in centres]
    mixtures = np.stack([mixture[:, start : start + 2 * reach] for start in starts])
    half = stft.n_fft // 2
    window = stft.window()

    def frame(waveform: Audio) -> npt.NDArray[np.complex64]:
        """Transform the one frame in the middle of every window; `reach` is at least half of the frame."""
        pieces = np.stack([waveform[..., centre - half : centre + half] for centre in centres])
        return np.fft.rfft(pieces * window, axis=-1).astype(np.complex64)

    fillers = np.stack([_passage(other, mixture_here, rng) for mixture_here in mixtures])
    return Moments(track, starts, mixtures, fillers, frame(mixture), frame(stems))


def choose_moments(stems: Audio, *, reach: int, count: int, rng: np.random.Generator) -> list[int]:
    """Choose moments in which most stems sound, each stem about as often as the others, well apart.

    Moment by moment, the one is taken whose sounding stems have been taken least so far; among equals chance decides.
    The true stems alone decide, and no net has been heard. Two moments are at least half as far apart as they would
    be evenly spaced.

    Args:
        stems: `(stems, channels, samples)`.
        reach: samples that have to be there before and after a moment.
        count: number of moments, fewer where there is no room.
        rng: source of chance.

    Returns:
        Samples, rising.
    """
    blocks = np.arange(-(-reach // BLOCK), (stems.shape[-1] - reach) // BLOCK + 1)
    if not blocks.size:  # a window as long as the song
        return [stems.shape[-1] // 2]
    samples = stems.shape[-1] // BLOCK * BLOCK
    parts = stems[..., :samples].reshape(*stems.shape[:2], -1, BLOCK)
    of_block = np.einsum("scbt,scbt->sb", parts, parts, dtype=np.float64) / (stems.shape[1] * BLOCK)
    # A moment lies between two blocks, and its power is that of both.
    power = np.pad(of_block, ((0, 0), (1, 1)))
    power = ((power[:, 1:] + power[:, :-1]) / 2)[:, blocks]
    sounding = power > np.maximum(SOUNDING_SHARE * of_block.mean(axis=1, keepdims=True), 1e-10)
    gap = max(1, blocks.size // (2 * count))
    taken = np.zeros(len(stems))
    free = np.ones(blocks.size, bool)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        worth = np.where(free, (sounding / (1 + taken)[:, None]).sum(axis=0), -1)
        pick = int(rng.choice(np.flatnonzero(worth >= worth.max() - 1e-9)))
        chosen.append(int(blocks[pick]) * BLOCK)
        taken += sounding[:, pick]
        free[max(0, pick - gap + 1) : pick + gap] = False
    return sorted(chosen)


def _passage(other: Audio, window: Audio, rng: np.random.Generator) -> Audio:
    """Return a passage of the other song, as long and as loud as the window.

    A passage at less than half of its song's level is passed over: scaled up it would be noise.
    """
    samples = window.shape[-1]
    level = _level(other)
    best: Audio | None = None
    for _ in range(DRAWS):
        start = int(rng.integers(max(1, other.shape[-1] - samples + 1)))
        passage = np.take(other, np.arange(start, start + samples), axis=-1, mode="wrap")
        best = passage if best is None or _level(passage) > _level(best) else best
        if _level(best) >= level / 2:
            break
    assert best is not None  # noqa: S101  DRAWS is not 0
    return best * np.float32(_level(window) / max(_level(best), 1e-9))


def _level(waveform: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
