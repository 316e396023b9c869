"""Any rate, any number of channels: as many samples out as in, and stems that add up to the input."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from demix.channels import separate_blocks
from demix.separator import Separator
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
SHARES = np.array([0.4, 0.3, 0.2, 0.1], np.float32)


def steady(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """Give each stem a fixed share of everything."""
    return np.broadcast_to(SHARES.reshape(1, 4, 1, 1, 1), (len(spectrum), 4, *spectrum.shape[1:]))


SEPARATOR = Separator(masker=steady, stft=STFT(), chunk_seconds=0.5)


def blocks(waveform: Audio, size: int = 4_096) -> Iterator[Audio]:
    for start in range(0, waveform.shape[1], size):
        yield waveform[:, start : start + size].copy()


def separated(waveform: Audio, rate: int) -> Audio:
    return np.concatenate(list(separate_blocks(SEPARATOR, blocks(waveform), sample_rate=rate)), axis=-1)


@pytest.mark.parametrize("samples", [1, 2, 1_000, 60_007])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 22_050, 8_000, 44_099])
def test_length_and_sum_are_those_of_the_input(song_excerpt: Audio, rate: int, channels: int, samples: int) -> None:
    waveform = song_excerpt.reshape(8, -1)[:channels, 70_000 : 70_000 + samples]
    stems = separated(waveform, rate)
    assert stems.shape == (4, channels, samples)
    np.testing.assert_allclose(stems.sum(axis=0), waveform, atol=3e-6)


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
def test_each_channel_keeps_its_place_and_its_time(song_excerpt: Audio, rate: int) -> None:
    """A steady share is a copy: of the same channel, at the same time."""
    waveform = song_excerpt.reshape(8, -1)[:5, 70_000:130_000]
    stems = separated(waveform, rate)
    for stem, share in zip(stems[:3], SHARES[:3], strict=True):
        error = np.sum((stem - share * waveform) ** 2, axis=1) / np.sum((share * waveform) ** 2, axis=1)
        assert 10 * np.log10(error.max()) < -25


def test_what_lies_beyond_the_nets_band_stays_in_other() -> None:
    """A tone of 30 kHz cannot be masked at 44.1 kHz, and is not lost."""
    tone = (0.5 * np.sin(2 * np.pi * 30_000 / 96_000 * np.arange(96_000)))[None].astype(np.float32)
    stems = separated(tone, 96_000)
    inside = slice(2_000, -2_000)  # where the tone begins and ends it is no tone
    assert np.abs(stems[:3, :, inside]).max() < 1e-3
    np.testing.assert_allclose(stems[3, :, inside], tone[:, inside], atol=1e-3)


def test_a_single_channel_is_what_two_equal_ones_are(song_excerpt: Audio) -> None:
    mono = song_excerpt.sum(axis=(0, 1))[None, 70_000:130_000] / 4
    alone = separated(mono, 44_100)
    pair = separated(np.repeat(mono, 2, axis=0), 44_100)
    np.testing.assert_allclose(alone[:, 0], pair.mean(axis=1), atol=1e-6)


def test_the_rate_of_the_net_can_be_kept(song_excerpt: Audio) -> None:
    waveform = song_excerpt[0, :, 70_000:130_000]
    stems = np.concatenate(
        list(separate_blocks(SEPARATOR, blocks(waveform), sample_rate=96_000, keep_rate=False)), axis=-1
    )
    assert abs(stems.shape[-1] - 60_000 * 44_100 / 96_000) < 2
