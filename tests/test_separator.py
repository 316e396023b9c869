"""Overlap-add: an identity net is the identity, masks that add up give stems that add up."""

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.separator import Separator
from demix.spectral import STFT

CHUNK = round(0.5 * 44_100)


def separator(masker: object, **more: object) -> Separator:
    return Separator(masker=masker, stft=STFT(), chunk_seconds=0.5, **more)  # type: ignore[arg-type]


def identity(spectrum: np.ndarray) -> np.ndarray:
    return np.ones((len(spectrum), 4, *spectrum.shape[1:]), np.float32)


def shares(spectrum: np.ndarray) -> np.ndarray:
    """Masks that change over time and frequency and add up to one."""
    rng = np.random.default_rng(abs(int(np.abs(spectrum).sum())) % 1000)
    masks = rng.random((len(spectrum), 4, *spectrum.shape[1:])).astype(np.float32)
    return masks / masks.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("samples", [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_identity_net_is_the_identity(samples: int, overlap: float) -> None:
    waveform = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    stems = separator(identity, overlap=overlap).separate(waveform)
    assert list(stems) == list(STEMS)
    for stem in stems.values():
        np.testing.assert_allclose(stem, waveform, atol=1e-5)


def test_stems_of_masks_that_add_up_add_up_to_the_mixture(song_excerpt: np.ndarray) -> None:
    mixture = song_excerpt.sum(axis=0)[:, :100_003]
    stems = separator(shares).separate(mixture)
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=1e-5)
    assert np.abs(stems["vocals"] - mixture / 4).max() > 0.01


def test_the_net_sees_whole_chunks_and_progress_ends_at_one() -> None:
    frames, progress = set(), []

    def spy(spectrum: np.ndarray) -> np.ndarray:
        frames.add(spectrum.shape)
        return identity(spectrum)

    waveform = np.zeros((2, 3 * CHUNK), np.float32)
    separator(spy).separate(waveform, on_progress=progress.append)
    assert frames == {(1, 2, 2049, 1 + CHUNK // 1024)}
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_input_is_not_changed(song_excerpt: np.ndarray) -> None:
    mixture = song_excerpt.sum(axis=0)[:, :30_000]
    before = mixture.copy()
    separator(shares).separate(mixture)
    np.testing.assert_array_equal(mixture, before)


@pytest.mark.parametrize(
    "waveform", [np.zeros((1, 10), np.float32), np.zeros((2, 0), np.float32), np.zeros(10, np.float32)]
)
def test_wrong_shape_is_one_sentence(waveform: np.ndarray) -> None:
    with pytest.raises(DemixError, match=r"expected \(2, samples\)"):
        separator(identity).separate(waveform)


def test_nan_is_refused() -> None:
    with pytest.raises(DemixError, match="finite"):
        separator(identity).separate(np.full((2, 10), np.nan, np.float32))
