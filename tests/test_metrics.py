"""The metrics are what their formulas say, and `sdr_bsseval` is museval's SDR to 1e-6 dB."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demix.errors import DemixError
from demix.metrics import (
    METRICS,
    bsseval_frames,
    energies,
    mean_of_defined,
    median_of_defined,
    sdr,
    sdr_bsseval,
    sdr_from_energies,
)

RATE = 100
VECTORS = Path(__file__).parent / "vectors" / "museval.npz"
CASES = ("music", "whole_seconds", "short", "gaps", "silent_stem")


def make_pair(seconds: float = 4, stems: int = 4, channels: int = 2, seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    references = rng.normal(size=(stems, channels, round(seconds * RATE))).astype(np.float32)
    estimates = references + 0.3 * rng.normal(size=references.shape).astype(np.float32)
    return references, estimates


# ---- against museval ----


@pytest.mark.parametrize("case", CASES)
def test_frames_equal_stored_results_of_museval(case: str) -> None:
    with np.load(VECTORS) as vectors:
        rate, references, estimates, expected = (
            vectors[f"{case}_{part}"] for part in ("rate", "references", "estimates", "sdr")
        )
    frames = bsseval_frames(references / 32768, estimates / 32768, sample_rate=int(rate))
    np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-6)  # NaN has to be in the same places
    assert np.isfinite(expected).any()
    song = sdr_bsseval(references / 32768, estimates / 32768, sample_rate=int(rate))
    defined = np.isfinite(expected).any(axis=1)
    np.testing.assert_allclose(song[defined], np.nanmedian(expected[defined], axis=1), rtol=0, atol=1e-6)
    assert np.isnan(song[~defined]).all()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="`import museval` needs ffmpeg on PATH")
@pytest.mark.parametrize("seconds", [0.4, 1.0, 2.6])
def test_frames_equal_museval_itself(song_excerpt: np.ndarray, seconds: float) -> None:
    import museval

    rate = 2205
    references = song_excerpt[[0, 1], :, :: 44_100 // rate][..., : round(seconds * rate)].copy()
    noise = np.random.default_rng(0).normal(scale=0.01, size=references.shape).astype(np.float32)
    estimates = 0.8 * references + 0.1 * references[::-1] + noise
    if seconds > 2:
        references[1, :, :rate] = 0
    expected, *_ = museval.evaluate(
        np.swapaxes(references, 1, 2).astype(np.float64),
        np.swapaxes(estimates, 1, 2).astype(np.float64),
        win=rate,
        hop=rate,
    )
    frames = bsseval_frames(references, estimates, sample_rate=rate)
    np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-6)
    assert np.isnan(frames[:, 0]).all() == (seconds > 2)


# ---- sdr over the whole song ----


def test_sdr_is_the_formula_of_the_challenge() -> None:
    references, estimates = make_pair(seconds=2.7)
    signal = (references.astype(np.float64) ** 2).sum(axis=(1, 2))
    error = ((references.astype(np.float64) - estimates) ** 2).sum(axis=(1, 2))
    expected = 10 * np.log10((signal + 1e-7) / (error + 1e-7))
    np.testing.assert_allclose(sdr(references, estimates), expected, rtol=0, atol=1e-9)


def test_sdr_of_known_errors() -> None:
    references = make_pair()[0]
    np.testing.assert_allclose(sdr(references, 0.9 * references.astype(np.float64)), 20, atol=1e-5)
    np.testing.assert_allclose(sdr(references, np.zeros_like(references)), 0, atol=1e-9)
    assert (sdr(references, references) > 90).all()  # finite thanks to the epsilon
    assert np.isfinite(sdr(references, references)).all()


def test_a_stem_silent_throughout_has_no_score_and_the_others_keep_theirs() -> None:
    references, estimates = make_pair()
    references[2] = 0
    estimates[2, :, :RATE] = 0  # its estimate may be silent: that takes no frame from the others
    kept = [0, 1, 3]
    for metric in (sdr, lambda r, e: sdr_bsseval(r, e, sample_rate=RATE)):
        scores = metric(references, estimates)
        assert np.isnan(scores[2])
        np.testing.assert_array_equal(scores[kept], metric(references[kept], estimates[kept]))
        assert np.isfinite(scores[kept]).all()


@pytest.mark.parametrize("name", METRICS)
def test_silence_everywhere_is_undefined(name: str) -> None:
    silence = np.zeros((4, 2, 3 * RATE), np.float32)
    assert np.isnan(METRICS[name].score(energies(silence, silence, sample_rate=RATE))).all()


# ---- what counts as a frame ----


def test_only_frames_count_in_which_everything_sounds() -> None:
    references, estimates = make_pair(seconds=7.5)
    references[0, :, RATE : 2 * RATE] = 0
    estimates[1, :, 2 * RATE : 3 * RATE] = 0
    references[2, 0, 3 * RATE : 4 * RATE] = 0  # one silent channel is not silence
    references[3, 1, 4 * RATE : 5 * RATE] = -references[3, 0, 4 * RATE : 5 * RATE]  # antiphase is, to museval
    estimates[0, 1, 5 * RATE : 6 * RATE] = -estimates[0, 0, 5 * RATE : 6 * RATE]
    song = energies(references, estimates, sample_rate=RATE)
    expected = [True, False, False, True, False, False, True, False]  # the last is a part of a second
    np.testing.assert_array_equal(song.counted, [expected] * 4)


def test_a_song_shorter_than_a_frame_is_one_frame() -> None:
    references, estimates = make_pair(seconds=0.6)
    song = energies(references, estimates, sample_rate=RATE)
    assert song.counted.shape == (4, 1)
    assert song.counted.all()


def test_an_estimate_silent_throughout_leaves_no_frame_that_counts() -> None:
    references, estimates = make_pair()
    estimates[1] = 0
    assert np.isnan(sdr_bsseval(references, estimates, sample_rate=RATE)).all()
    assert np.isfinite(sdr(references, estimates)).all()


def test_an_exact_frame_is_infinite_and_stays_in_the_median() -> None:
    references, estimates = make_pair(seconds=3)
    estimates[0, :, :RATE] = references[0, :, :RATE]
    frames = bsseval_frames(references, estimates, sample_rate=RATE)
    assert frames[0, 0] == np.inf
    assert sdr_bsseval(references, estimates, sample_rate=RATE)[0] == np.max(frames[0, 1:])


# ---- energies ----


def test_both_metrics_of_some_seconds_follow_from_the_energies() -> None:
    references, estimates = make_pair(seconds=5)
    song = energies(references, estimates, sample_rate=RATE)
    part = slice(1, 4)
    cut = slice(RATE, 4 * RATE)
    some = type(song)(song.reference[:, part], song.error[:, part], song.counted[:, part])
    np.testing.assert_allclose(sdr_from_energies(some), sdr(references[..., cut], estimates[..., cut]))
    np.testing.assert_allclose(
        METRICS["sdr_bsseval"].score(some),
        sdr_bsseval(references[..., cut], estimates[..., cut], sample_rate=RATE),
    )


def test_energies_add_up_in_double_precision_and_change_no_input() -> None:
    references, estimates = make_pair(seconds=3.3)
    references += 1000  # a large offset: single precision would lose the error in it
    estimates += 1000
    before = references.copy(), estimates.copy()
    song = energies(references, estimates, sample_rate=RATE)
    difference = references.astype(np.float64) - estimates
    np.testing.assert_allclose(song.error.sum(axis=-1), (difference**2).sum(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(references, before[0])
    np.testing.assert_array_equal(estimates, before[1])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 350), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_swapping_stems_or_channels_moves_scores_along(samples: int, stems: int, channels: int, seed: int) -> None:
    samples = max(samples, channels)
    references, estimates = make_pair(samples / RATE, stems, channels, seed)
    for name, metric in METRICS.items():
        scores = metric.score(energies(references, estimates, sample_rate=RATE))
        swapped = metric.score(energies(references[::-1, ::-1], estimates[::-1, ::-1], sample_rate=RATE))
        np.testing.assert_allclose(swapped[::-1], scores, rtol=1e-9, err_msg=name)


# ---- averages that leave the undefined out ----


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.just(np.nan), st.floats(-50, 50)), min_size=4, max_size=4),
        min_size=1,
        max_size=7,
    )
)
def test_averages_are_those_of_the_defined_values(rows: list[list[float]]) -> None:
    values = np.array(rows)
    for ours, numpys in ((mean_of_defined, np.mean), (median_of_defined, np.median)):
        for axis in (0, -1):
            result = ours(values, axis=axis)
            for value, line in zip(result, np.moveaxis(values, axis, -1), strict=True):
                defined = line[~np.isnan(line)]
                assert np.isnan(value) if not len(defined) else value == pytest.approx(numpys(defined), abs=1e-9)


# ---- bad input ----


@pytest.mark.parametrize(
    ("references", "estimates", "rate", "message"),
    [
        (np.ones((2, 50)), np.ones((2, 50)), 10, "stems, channels, samples"),
        (np.ones((2, 2, 0)), np.ones((2, 2, 0)), 10, "stems, channels, samples"),
        (np.ones((4, 50, 2)), np.ones((4, 50, 2)), 10, "swap"),
        (np.ones((4, 2, 50)), np.ones((4, 2, 49)), 10, r"received \(4, 2, 49\)"),
        (np.ones((4, 2, 50)), np.ones((4, 1, 50)), 10, r"received \(4, 1, 50\)"),
        (np.ones((4, 2, 50)), np.ones((4, 2, 50)), 0, "sample_rate"),
        (np.ones((4, 2, 50)), np.full((4, 2, 50), np.nan), 10, "estimates: .*NaN"),
        (np.full((4, 2, 50), np.inf), np.ones((4, 2, 50)), 10, "references: .*infinity"),
        (np.ones((4, 2, 50)), np.full((4, 2, 50), -np.inf), 10, "estimates: .*infinity"),
    ],
)
def test_bad_input_is_named(references: np.ndarray, estimates: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(DemixError, match=message):
        energies(references, estimates, sample_rate=rate)
