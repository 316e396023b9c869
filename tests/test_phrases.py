"""Singing is cut where it is silent, and what is measured of a phrase is what is heard."""

from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from demix.generate.phrases import (
    AROUND_SECONDS,
    GREATEST_SECONDS,
    MAJOR,
    MINOR,
    cut,
    frame_power,
    is_sounding,
    key_of,
    measure,
    narrow,
)

Audio = npt.NDArray[np.float32]
SONGS = Path(__file__).parents[1] / "songs"
RATE = 44_100


def read_vocals(song: str, start: float = 0.0, seconds: float = -1.0) -> Audio:
    frames = round(seconds * RATE) if seconds > 0 else -1
    path = SONGS / song / "vocals.ogg"
    return soundfile.read(path, start=round(start * RATE), frames=frames, dtype="float32")[0].T


@pytest.fixture(scope="module")
def francium() -> Audio:
    """Fourteen seconds of one voice."""
    return read_vocals("francium", 30, 14)


@pytest.mark.parametrize("song", ["caesium", "francium", "hydrogen", "potassium"])
def test_phrases_hold_all_that_is_sung_and_no_pause(song: str) -> None:
    vocals = read_vocals(song)
    sounding = is_sounding(frame_power(vocals))
    bounds = cut(vocals)
    inside = np.zeros(len(sounding), dtype=bool)
    for (start, end), (following, _) in zip(bounds, [*bounds[1:], (vocals.shape[1], 0)], strict=True):
        assert start < end <= following
        inside[start // 441 : -(-end // 441)] = True
    assert (sounding & inside).sum() >= 0.99 * sounding.sum()
    pauses = np.flatnonzero(np.diff(np.concatenate(([0], ~sounding, [0]))))
    for begin, end in pauses.reshape(-1, 2):
        if end - begin > 40:  # 0.4 s: no phrase goes on through it
            assert not inside[begin:end].all()
    assert all((end - start) / RATE <= GREATEST_SECONDS + sum(AROUND_SECONDS) + 0.02 for start, end in bounds)


def test_phrases_begin_and_end_where_the_singing_does(francium: Audio) -> None:
    voice, silence = francium[:, : 2 * RATE], np.zeros((2, RATE), dtype=np.float32)
    bounds = cut(np.concatenate([silence, voice, silence, voice, silence], axis=1))
    assert bounds[0][0] == pytest.approx(RATE, abs=0.05 * RATE)
    assert any(abs(start - 4 * RATE) < 0.05 * RATE for start, _ in bounds)
    assert bounds[-1][1] <= 6.1 * RATE
    assert not any(start < 3.5 * RATE < end for start, end in bounds)


def test_singing_without_pause_is_cut_where_it_is_softest(francium: Audio) -> None:
    voice = np.tile(francium[:, : 6 * RATE], 3)  # 18 s
    swell = np.ones(voice.shape[1], dtype=np.float32)
    swell[9 * RATE : round(9.1 * RATE)] = 0.1
    bounds = cut(voice * swell)
    assert max(end - start for start, end in bounds) <= (GREATEST_SECONDS + 0.1) * RATE
    assert any(abs(start - 9.05 * RATE) < 0.1 * RATE for start, _ in bounds)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 2.0])
def test_silence_has_no_phrases(seconds: float) -> None:
    silence = np.zeros((2, round(seconds * RATE)), dtype=np.float32)
    assert cut(silence) == []
    rows, pitch = measure(silence, [])
    assert len(rows) == len(pitch) == 0


def test_pitch_moves_with_the_voice(francium: Audio) -> None:
    voice = francium[:, : 4 * RATE]
    higher = soxr.resample(voice.T, RATE * 2 ** (2.5 / 12), RATE).T
    (row,), track = measure(voice, [(0, voice.shape[1])])
    (moved,), _ = measure(higher, [(0, higher.shape[1])])
    assert row["voiced"] > 0.5
    assert moved["pitch"] - row["pitch"] == pytest.approx(2.5, abs=0.2)
    assert abs((moved["tuning"] - row["tuning"] - 0.5 + 0.5) % 1 - 0.5) < 0.15  # half a semitone, on the circle
    assert len(track) == row["track"][1]
    oracle = librosa.yin(voice.mean(axis=0), fmin=65, fmax=1050, sr=RATE)
    assert np.nanmedian(track) == pytest.approx(np.median(69 + 12 * np.log2(oracle / 440)), abs=0.5)


def test_attack_and_onsets_are_when_syllables_are_heard(francium: Audio) -> None:
    starts = np.array([0.5, 1.1, 1.6, 2.2, 2.8])
    voice = np.zeros((2, round(3.5 * RATE)), dtype=np.float32)
    for start in starts:  # a quarter of a second each
        at = round(start * RATE)
        voice[:, at : at + RATE // 4] = francium[:, RATE : RATE + RATE // 4]
    (row,), _ = measure(voice, [(0, voice.shape[1])])
    assert row["attack"] == pytest.approx(0.5, abs=0.04)
    onsets = row["onsets"][~np.isnan(row["onsets"])]
    assert np.abs(onsets[:, None] - starts).min(axis=0).max() < 0.04  # each is found


def test_levels_follow_the_gain(francium: Audio) -> None:
    voice = francium[:, : 3 * RATE]
    (row,), _ = measure(voice, [(0, voice.shape[1])])
    (soft,), _ = measure(voice / 4, [(0, voice.shape[1])])
    for level in ("level", "narrow_level"):
        assert row[level] - soft[level] == pytest.approx(20 * np.log10(4), abs=0.01)


def test_the_middle_of_sides_that_cancel_out_is_the_left(francium: Audio) -> None:
    left = francium[0]
    np.testing.assert_array_equal(narrow(np.stack([left, -left])), left[None])
    np.testing.assert_allclose(narrow(np.stack([left, left])), left[None], atol=1e-7)


def test_a_key_is_known_by_how_much_its_degrees_are_heard() -> None:
    for tonic in range(12):
        assert key_of(np.roll(MAJOR, tonic)) == (tonic, False)
        assert key_of(np.roll(MINOR, tonic)) == (tonic, True)
