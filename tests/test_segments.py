"""Batches: the same for the same seed and step, remixed, augmented, and made of the songs."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from demix.config import STEMS, Augment, Config, Data, Speed, Training, load_config
from demix.data import open_dataset
from demix.data.segments import LEVEL_DB, Pool, draw_batch, open_pool, segment_samples, take
from demix.data.store import open_store, prepare
from demix.data.stored import StoredTrack
from demix.data.track import Track
from demix.errors import DemixError
from demix.training.distributed import Ranks
from demix.training.engine import Engine
from demix.training.feed import Reader, batches
from demix.training.loop import train
from demix.training.render import look_up, render, split

RATE = 44_100
DATA = Data(segment_seconds=0.5, batch_size=16)
PLAIN = Augment(remix=0, level=False, rest=0, transpose={}, gain_db=0, swap=0, polarity=0)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, song_excerpt: np.ndarray) -> list[StoredTrack]:
    """Three songs told apart by their level; the second has no bass, the third has nothing but vocals."""
    folder = tmp_path_factory.mktemp("store")

    def track(name: str, scale: float, silent: tuple[int, ...]) -> Track:
        stems = song_excerpt * scale
        for stem in silent:
            stems[stem] = 0
        return Track(name=name, split="train", read=lambda: (stems.astype(np.float32), None), paths=())

    songs = [track("loud", 0.5, ()), track("no bass", 0.25, (2,)), track("voice", 0.125, (1, 2, 3))]
    prepare(songs, folder)
    return open_store(folder)


@pytest.fixture(scope="module")
def pool(stored: list[StoredTrack]) -> Pool:
    return open_pool(stored, segment_samples=segment_samples(DATA))


def make_batch(pool: Pool, **named: Any) -> np.ndarray:
    """Draw a batch and make its stems."""
    draws = draw_batch(pool, **named)
    taken = torch.from_numpy(take(pool, draws))
    cpu = torch.device("cpu")
    return render(split(taken, draws), draws, samples=segment_samples(named["data"]), device=cpu).numpy()


def test_same_seed_and_step_same_batch_whatever_was_drawn_before(pool: Pool) -> None:
    first = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=7)
    for step in range(3):
        make_batch(pool, data=DATA, settings=Augment(), seed=1, step=step)
    again = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=7)
    assert first.shape == (16, len(STEMS), 2, RATE // 2)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("other", [{"seed": 2, "step": 7}, {"seed": 1, "step": 8}])
def test_another_seed_or_step_another_batch(pool: Pool, other: dict[str, int]) -> None:
    first = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=7)
    second = make_batch(pool, data=DATA, settings=Augment(), **other)
    assert all((a != b).any() for a, b in zip(first, second, strict=True))


def test_items_of_a_batch_differ_and_do_not_depend_on_its_size(pool: Pool) -> None:
    large = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=0)
    small = make_batch(pool, data=Data(segment_seconds=0.5, batch_size=4), settings=Augment(), seed=1, step=0)
    np.testing.assert_array_equal(large[:4], small)
    assert (large[0] != large[1]).any()


def test_without_augmentation_a_segment_is_a_piece_of_one_song(pool: Pool, stored: list[StoredTrack]) -> None:
    batch = make_batch(pool, data=DATA, settings=PLAIN, seed=0, step=0)
    songs = [track.audio()[:4] * np.float32(track.scale) for track in stored]
    for item in batch:
        places = [
            (song, start)
            for song, whole in enumerate(songs)
            for start in np.flatnonzero(np.isclose(whole[0, 0, : -RATE // 2], item[0, 0, 0], atol=1e-7))
            if np.allclose(whole[..., start : start + RATE // 2], item, atol=1e-6)
        ]
        assert places


def test_remixing_mixes_songs_and_draws_a_stem_only_where_it_sounds(pool: Pool) -> None:
    settings = replace(PLAIN, remix=1)
    batch = np.concatenate([make_batch(pool, data=DATA, settings=settings, seed=0, step=step) for step in range(4)])
    peaks = np.abs(batch).max(axis=(2, 3))
    reference = [np.abs(song.astype(np.float64)).max(axis=(1, 2)) for song in pool.audio]
    assert (peaks[:, 2] <= reference[0][2] * pool.scale[0] * 1.001).all()  # bass: the first song alone has it
    assert (np.abs(batch[:, 2]).max(axis=(1, 2)) > 0).mean() > 0.5
    # Where the bass is the loud song's and yet the vocals are not, the mix is new.
    quiet = peaks[:, 0] < 0.5 * reference[0][0] * pool.scale[0]
    assert (quiet & (peaks[:, 2] > 0)).any()


def test_stems_of_remixed_segments_rest_in_the_share_asked_for(pool: Pool) -> None:
    shares = {}
    for remix, rest in ((1, 0.5), (1, 0), (0, 1)):
        settings = replace(PLAIN, remix=remix, rest=rest)
        batch = np.concatenate([make_batch(pool, data=DATA, settings=settings, seed=0, step=step) for step in range(8)])
        shares[remix, rest] = (np.abs(batch[:, 0]).max(axis=(1, 2)) == 0).mean()  # all three songs have vocals
    assert 0.4 < shares[1, 0.5] < 0.6
    assert shares[1, 0] == shares[0, 1] == 0


@pytest.mark.parametrize("semitones", [-12, -5, 0, 7, 24])
def test_transposition_moves_every_frequency_and_keeps_the_level(tmp_path: Path, semitones: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE)
    stems = np.zeros((len(STEMS), 2, len(tone)), np.float32)
    stems[2] = tone
    prepare([Track(name="tone", split="train", read=lambda: (stems, None), paths=())], tmp_path)
    tones = open_pool(open_store(tmp_path), segment_samples=segment_samples(DATA))
    settings = replace(PLAIN, remix=1, transpose={"bass": [semitones, semitones]})
    batch = make_batch(tones, data=DATA, settings=settings, seed=0, step=0)
    for segment in batch[:4, 2, 0]:
        spectrum = np.abs(np.fft.rfft(segment * np.hanning(len(segment))))
        assert spectrum.argmax() * RATE / len(segment) == pytest.approx(440 * 2 ** (semitones / 12), abs=2.5)
        assert np.sqrt((segment**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert not batch[:, [0, 1, 3]].any()


def test_a_song_too_short_to_be_played_that_fast_is_played_as_fast_as_it_lasts(pool: Pool) -> None:
    settings = replace(PLAIN, remix=1, transpose={stem: [36, 36] for stem in STEMS})
    data = Data(segment_seconds=5, batch_size=2)  # the songs last 6 s
    batch = make_batch(pool, data=data, settings=settings, seed=0, step=0)
    assert batch.shape[-1] == 5 * RATE
    assert np.isfinite(batch).all()


def test_level_brings_songs_to_one_level_before_remixing(pool: Pool, stored: list[StoredTrack]) -> None:
    for song, track in enumerate(stored):
        for stem in range(len(STEMS)):
            if track.silent_share[stem] == 1:
                assert pool.level[song, stem] == 0
                continue
            audio = track.audio()[stem] * track.scale * pool.level[song, stem]
            sounding_db = 10 * np.log10(np.mean(audio**2) / (1 - track.silent_share[stem]))
            assert sounding_db == pytest.approx(LEVEL_DB, abs=0.01)


def test_augmentation_changes_sign_channel_and_level_as_said(pool: Pool) -> None:
    plain = make_batch(pool, data=DATA, settings=PLAIN, seed=0, step=0)
    changed = make_batch(pool, data=DATA, settings=replace(PLAIN, gain_db=6, swap=1, polarity=1), seed=0, step=0)
    sounding = np.abs(plain).max(axis=(2, 3)) > 0
    ratio = np.sqrt((changed[sounding] ** 2).sum(axis=(1, 2)) / (plain[sounding] ** 2).sum(axis=(1, 2)))
    assert (np.abs(20 * np.log10(ratio)) <= 6).all()
    assert np.ptp(ratio) > 0.01
    np.testing.assert_allclose(
        changed[sounding], -plain[sounding][:, ::-1] * ratio[:, None, None], rtol=1e-4, atol=1e-7
    )


def test_songs_in_memory_and_songs_read_make_the_same_batch(pool: Pool) -> None:
    draws = draw_batch(pool, data=DATA, settings=Augment(), seed=0, step=0)
    songs = [torch.tensor(song) for song in pool.audio]
    cpu, samples = torch.device("cpu"), segment_samples(DATA)
    read = render(split(torch.from_numpy(take(pool, draws)), draws), draws, samples=samples, device=cpu)
    assert torch.equal(render(look_up(songs, draws), draws, samples=samples, device=cpu), read)
    assert (draws.length == 0).any()  # stems that rest are among them


@pytest.mark.parametrize("size", [2, 3, 5])
def test_shares_of_any_number_of_processes_are_the_batch_of_one(pool: Pool, size: int) -> None:
    whole = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=3)
    shared = np.zeros_like(whole)
    for rank in range(size):
        items = Ranks(rank, size).share(DATA.batch_size)
        shared[list(items)] = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=3, items=items)
    np.testing.assert_array_equal(shared, whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_stream_goes_on_where_it_is_asked_to_and_reading_ahead_changes_nothing(
    pool: Pool, stored: list[StoredTrack], workers: int
) -> None:
    settings = Config(data=DATA, training=Training(steps=5, seed=1), speed=Speed(workers=workers))
    stream = list(batches(stored, settings, device=torch.device("cpu"), start=2))
    assert len(stream) == 3
    for step, stems in enumerate(stream, start=2):
        expected = make_batch(pool, data=DATA, settings=Augment(), seed=1, step=step)
        np.testing.assert_array_equal(stems.numpy(), expected)


def test_what_travels_to_a_reading_process_is_not_the_songs(stored: list[StoredTrack]) -> None:
    assert len(pickle.dumps(Reader(stored, Config(data=DATA), Ranks()))) < 10_000


def test_songs_shorter_than_a_segment_are_refused_with_the_remedy(stored: list[StoredTrack]) -> None:
    with pytest.raises(DemixError, match=r"longest 6\.00 s; shorten the segment"):
        open_pool(stored, segment_samples=7 * RATE)
    with pytest.raises(DemixError, match="received 0 songs"):
        open_pool([], segment_samples=RATE)


def test_both_nets_see_the_same_batches(
    songs_folder: Path, nano_settings: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded where a step is taken, not in the function that draws."""
    prepare(open_dataset(songs_folder), tmp_path / "store")
    tracks = open_store(tmp_path / "store")
    seen: dict[str, list[np.ndarray]] = {}
    real = Engine.step
    for net in ("unet", "vit"):
        stream = seen.setdefault(net, [])

        def spy(engine: Engine, stems: torch.Tensor, step: int, stream: list = stream) -> torch.Tensor:
            stream.append(stems.numpy().copy())
            return real(engine, stems, step)

        monkeypatch.setattr(Engine, "step", spy)
        train(load_config(None, nano_settings(net)), tmp_path / net, tracks=tracks)
    assert len(seen["unet"]) == 6
    np.testing.assert_array_equal(np.stack(seen["unet"]), np.stack(seen["vit"]))


def test_stems_come_from_each_data_set_as_often_as_its_weight_says(pool: Pool, stored: list[StoredTrack]) -> None:
    """The weights count, not how many songs or minutes a set has; a set without the stem is left aside."""
    also = [replace(track, name=f"more/{number}", dataset="more") for number in range(3) for track in stored]
    length = segment_samples(DATA)
    both = open_pool([*stored, *also], segment_samples=length, also={"more": 3.0})
    for stem in range(len(STEMS)):
        assert both.chance[stem, len(stored) :].sum() == pytest.approx(0.75)
        np.testing.assert_allclose(both.chance[stem, : len(stored)], 0.25 * pool.chance[stem])
    assert both.whole[len(stored) :].sum() == pytest.approx(0.75)
    # A set that has vocals alone gives vocals, and nothing else, and no song as it was mixed.
    voice = replace(stored[0], rms_db=(-20.0, -np.inf, -np.inf, -np.inf), silent_share=(0.0, 1.0, 1.0, 1.0))
    singing = open_pool([*stored, replace(voice, dataset="voices")], segment_samples=length, also={"voices": 1.0})
    np.testing.assert_allclose(singing.chance[:, -1], [0.5, 0, 0, 0])
    assert singing.whole[-1] == 0


def test_remixed_stems_are_taken_where_they_sound(tmp_path: Path) -> None:
    """A song whose drums sound for a tenth of it gives drums most of the time, and seldom where it is taken whole."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 60 * RATE)).astype(np.float32)
    stems = np.zeros((len(STEMS), *noise.shape), np.float32)
    stems[0], stems[1, :, 30 * RATE : 36 * RATE] = noise, noise[:, : 6 * RATE]
    prepare([Track(name="gap", split="train", read=lambda: (stems, None), paths=())], tmp_path)
    gap = open_pool(open_store(tmp_path), segment_samples=segment_samples(DATA))

    def share(remix: float) -> float:
        settings = replace(PLAIN, remix=remix)
        found = [make_batch(gap, data=DATA, settings=settings, seed=0, step=step)[:, 1] for step in range(30)]
        return float((np.abs(np.concatenate(found)).max(axis=(1, 2)) > 0).mean())

    assert share(0) < 0.3
    assert share(1) > 0.75
