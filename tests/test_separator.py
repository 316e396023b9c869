"""Overlap-add: an identity net is the identity, masks that add up give stems that add up."""

from collections.abc import Iterator

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


@pytest.mark.parametrize("waveform", [np.ones((2, 10), np.int16), np.ones((2, 10), complex), [[0.0], [0.0]], None])
def test_what_is_no_array_of_floats_is_one_sentence(waveform: np.ndarray) -> None:
    with pytest.raises(DemixError, match="expected a NumPy array of floats"):
        separator(identity).separate(waveform)


def test_double_precision_is_taken() -> None:
    waveform = np.linspace(-1, 1, 20_000).reshape(2, -1)
    stems, same = (separator(identity).separate(each) for each in (waveform, waveform.astype(np.float32)))
    for stem, estimate in stems.items():
        np.testing.assert_array_equal(estimate, same[stem])


@pytest.mark.parametrize("size", [1, 999, CHUNK, 2 * CHUNK + 1])
@pytest.mark.parametrize("samples", [1, CHUNK - 1, CHUNK, 3 * CHUNK + 7])
def test_blocks_of_any_size_give_the_very_same_stems(song_excerpt: np.ndarray, size: int, samples: int) -> None:
    mixture = song_excerpt.sum(axis=0)[None, :, 70_000 : 70_000 + samples]
    blocks = (mixture[..., start : start + size] for start in range(0, samples, size))
    if size == 1:
        blocks = (mixture[..., part] for part in (slice(0, 1), slice(1, 1), slice(1, samples)))
    whole = np.stack(list(separator(shares).separate(mixture[0]).values()))
    streamed = np.concatenate(list(separator(shares).stream(blocks)), axis=-1)
    np.testing.assert_array_equal(streamed[0], whole)


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_no_number_and_hold_a_few_chunks(song_excerpt: np.ndarray, workers: int) -> None:
    mixture = song_excerpt.sum(axis=0)[:, 66_150:]
    alone = np.stack(list(separator(loud_bins).separate(mixture).values()))
    came = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal came
        for start in range(0, mixture.shape[1], 9_000):
            came += 9_000
            yield mixture[None, :, start : start + 9_000]

    out = []
    for stems in separator(loud_bins, workers=workers).stream(blocks()):
        out.append(stems[0])
        assert came - sum(piece.shape[-1] for piece in out) < (workers + 2) * CHUNK
    np.testing.assert_array_equal(np.concatenate(out, axis=-1), alone)


def test_a_batch_is_separated_waveform_by_waveform(song_excerpt: np.ndarray) -> None:
    batch = song_excerpt[:3, :, 70_000:110_000]
    together = np.concatenate(list(separator(loud_bins).stream([batch])), axis=-1)
    for waveform, stems in zip(batch, together, strict=True):
        alone = np.stack(list(separator(loud_bins).separate(waveform).values()))
        np.testing.assert_allclose(stems, alone, atol=1e-6)


def test_a_stream_holds_no_more_than_it_needs() -> None:
    """After every block all but the last chunk has come out."""
    came = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal came
        for _ in range(60):
            came += 5_000
            yield np.zeros((1, 2, 5_000), np.float32)

    out = 0
    for stems in separator(identity).stream(blocks()):
        out += stems.shape[-1]
        assert came - out < CHUNK + 5_000
    assert out == came == 300_000
    assert list(separator(identity).stream([])) == []


def loud_bins(spectrum: np.ndarray) -> np.ndarray:
    """Masks that depend on nothing but the bin itself: how loud it is."""
    level = np.abs(spectrum) / (1 + np.abs(spectrum))
    return np.stack([level, (1 - level) / 3, (1 - level) / 3, (1 - level) / 3], axis=1).astype(np.float32)


@pytest.mark.parametrize("what", ["sine", "music"])
def test_no_seam_at_chunk_borders(song_excerpt: np.ndarray, what: str) -> None:
    """Chunks differ from masks over the whole song as little as two framings of it do, at borders as elsewhere."""
    samples = 5 * CHUNK
    waveform = song_excerpt.sum(axis=0)[:, 66_150 : 66_150 + samples]
    if what == "sine":
        waveform = np.tile(0.5 * np.sin(2 * np.pi * 440 / 44_100 * np.arange(samples)), (2, 1)).astype(np.float32)
    chunked = separator(loud_bins).separate(waveform)["vocals"]
    whole = Separator(masker=loud_bins, stft=STFT(), chunk_seconds=samples / 44_100).separate(waveform)["vocals"]
    error = np.abs(chunked - whole).max(axis=0)[2048:-2048]
    assert error.max() < 0.05 * np.abs(whole).max()
    # The loudest step from one sample to the next does not get louder: no click.
    assert np.abs(np.diff(chunked)).max() < 1.05 * np.abs(np.diff(whole)).max()


@pytest.mark.parametrize("value", [np.float32(np.nan), np.float32(np.inf), np.float32(1e30), np.float64(-1e300)])
def test_what_would_overflow_is_refused(value: np.floating) -> None:
    with pytest.raises(DemixError, match="finite"):
        separator(identity).separate(np.full((2, 10), value))
