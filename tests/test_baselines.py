"""Baselines: shapes, sums, and the order in which they have to come."""

import sys

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.baselines import BASELINES, apply_ideal_masks, share_equally, split_harmonic_percussive
from demix.metrics import sdr

RATE = 44_100
Music = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def music(song_excerpt: np.ndarray) -> Music:
    """Two seconds of a real song: mixture and stems."""
    stems = song_excerpt[..., RATE : 3 * RATE]
    return stems.sum(axis=0), stems


@pytest.mark.parametrize("name", BASELINES)
def test_estimates_are_stems_and_no_input_is_changed(name: str, music: Music) -> None:
    mixture, stems = (part.copy() for part in music)
    estimates = BASELINES[name](mixture, stems)
    assert estimates.shape == stems.shape == (len(STEMS), 2, 2 * RATE)
    assert estimates.dtype == np.float32
    assert np.isfinite(estimates).all()
    np.testing.assert_array_equal(mixture, music[0])
    np.testing.assert_array_equal(stems, music[1])


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {"mixture"}))
def test_estimates_add_up_to_the_mixture(name: str, music: Music) -> None:
    mixture, stems = music
    np.testing.assert_allclose(BASELINES[name](mixture, stems).sum(axis=0), mixture, atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {"oracle"}))
def test_only_the_oracle_looks_at_the_stems(name: str, music: Music) -> None:
    mixture, stems = music
    np.testing.assert_array_equal(BASELINES[name](mixture, None), BASELINES[name](mixture, stems))


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("samples", [2, 1000])
def test_a_short_song_and_silence_are_handled(name: str, samples: int, music: Music) -> None:
    stems = music[1][..., :samples]
    assert BASELINES[name](stems.sum(axis=0), stems).shape == stems.shape
    silence = np.zeros_like(stems)
    assert not BASELINES[name](silence.sum(axis=0), silence).any()


def test_the_ladder_from_floor_to_ceiling(music: Music) -> None:
    mixture, stems = music
    mean = {name: sdr(stems, baseline(mixture, stems)).mean() for name, baseline in BASELINES.items()}
    assert mean["mixture"] + 2 < mean["equal"] < mean["hpss"] < mean["oracle"] - 5


def test_an_equal_share_is_one_in_four(music: Music) -> None:
    mixture, _ = music
    np.testing.assert_allclose(share_equally(mixture)[2], mixture / 4, rtol=1e-6)


def test_hpss_sends_clicks_to_drums_low_tones_to_bass_and_high_tones_to_the_rest() -> None:
    time = np.arange(3 * RATE) / RATE
    clicks = np.zeros_like(time)
    clicks[RATE // 2 :: RATE // 2] = 1
    sounds = {"drums": clicks, "bass": 0.3 * np.sin(2 * np.pi * 100 * time)}
    high = 0.3 * np.sin(2 * np.pi * 1000 * time)
    mixture = np.stack([sum(sounds.values()) + high] * 2).astype(np.float32)
    estimates = dict(zip(STEMS, split_harmonic_percussive(mixture), strict=True))
    middle = slice(RATE // 2 - 4000, -RATE // 2)
    for expected, estimate in (
        *((sounds[stem], estimates[stem]) for stem in sounds),
        (high / 2, estimates["vocals"]),
        (high / 2, estimates["other"]),
    ):
        error = estimate[0, middle] - expected[middle]
        assert (error**2).sum() < 0.2 * (expected[middle] ** 2).sum()


def test_the_oracle_is_exact_where_stems_do_not_overlap() -> None:
    time = np.arange(2 * RATE) / RATE
    tones = [np.sin(2 * np.pi * hertz * time) for hertz in (200, 1000, 3000, 9000)]
    stems = np.stack([np.stack([tone, -0.5 * tone]) for tone in tones]).astype(np.float32)
    inside = slice(4096, -4096)  # a tone that starts or stops has no single frequency
    estimates = apply_ideal_masks(stems.sum(axis=0), stems)
    assert (sdr(stems[..., inside], estimates[..., inside]) > 50).all()


def test_the_oracle_shares_by_power() -> None:
    noise = np.random.default_rng(0).normal(size=(2, RATE)).astype(np.float32)
    stems = np.stack([noise, 2 * noise, 0 * noise, 0 * noise])
    estimates = apply_ideal_masks(stems.sum(axis=0), stems)
    for estimate, share in zip(estimates, (1 / 5, 4 / 5, 0, 0), strict=True):
        np.testing.assert_allclose(estimate, share * 3 * noise, atol=1e-4)


def test_the_oracle_wants_the_true_stems(music: Music) -> None:
    with pytest.raises(DemixError, match="true stems"):
        BASELINES["oracle"](music[0], None)


def test_hpss_without_librosa_says_what_to_install(monkeypatch: pytest.MonkeyPatch, music: Music) -> None:
    monkeypatch.setitem(sys.modules, "librosa.decompose", None)
    with pytest.raises(DemixError, match=r"librosa.*demix-lab\[report\]"):
        split_harmonic_percussive(music[0])
