"""The STFT: round trip, its twin in PyTorch, its conventions."""

import numpy as np
import pytest
import torch

from demix.errors import DemixError
from demix.models.stft import istft, stft
from demix.spectral import STFT


@pytest.mark.parametrize("samples", [1, 2, 1023, 1024, 4095, 4096, 4097, 50_001])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(4096, 1024), (512, 64)])
def test_inverse_of_forward_is_the_identity(samples: int, n_fft: int, hop_length: int) -> None:
    transform = STFT(n_fft, hop_length)
    waveform = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    back = transform.inverse(transform.forward(waveform), samples=samples)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, waveform, atol=1e-5)


def test_music_survives_the_round_trip(song_excerpt: np.ndarray) -> None:
    transform = STFT()
    back = transform.inverse(transform.forward(song_excerpt), samples=song_excerpt.shape[-1])
    np.testing.assert_allclose(back, song_excerpt, atol=1e-6)


def test_torch_twin_gives_the_same_numbers(song_excerpt: np.ndarray) -> None:
    transform, music = STFT(), song_excerpt[0][:, :100_001]
    spectrum = transform.forward(music)
    twin = stft(torch.from_numpy(music.copy()), n_fft=4096, hop_length=1024)
    np.testing.assert_allclose(twin.numpy(), spectrum, atol=1e-5 * np.abs(spectrum).max())
    masked = (spectrum * np.linspace(0, 1, spectrum.shape[-1])).astype(np.complex64)
    back = istft(torch.from_numpy(masked), n_fft=4096, hop_length=1024, samples=music.shape[-1])
    np.testing.assert_allclose(back.numpy(), transform.inverse(masked, samples=music.shape[-1]), atol=1e-5)


def test_a_sine_lands_in_its_bin_and_frame_count_is_as_said() -> None:
    transform = STFT(n_fft=1024, hop_length=256)
    sine = np.sin(2 * np.pi * 10 / 1024 * np.arange(8192)).astype(np.float32)
    spectrum = np.abs(transform.forward(sine))
    assert spectrum.shape == (transform.bins, transform.frames(8192)) == (513, 33)
    assert (spectrum[:, 4:-4].argmax(axis=0) == 10).all()
    np.testing.assert_allclose(spectrum[10, 4:-4], 1024 / 4, rtol=1e-3)  # half the window's sum


@pytest.mark.parametrize(("n_fft", "hop_length"), [(4097, 1), (4096, 1000), (4096, 2048), (4096, 0), (2, 1)])
def test_a_transform_that_masks_would_tear_is_refused(n_fft: int, hop_length: int) -> None:
    with pytest.raises(DemixError, match=r"n_fft|hop_length"):
        STFT(n_fft, hop_length)


def test_wrong_number_of_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2049 bins and 5 frames"):
        STFT().inverse(np.zeros((2049, 4), np.complex64), samples=4096)
