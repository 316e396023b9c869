"""One prepared song: nothing is clipped, lost or taken for another."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.data import folder, musdb
from demix.data.store import open_store, prepare
from demix.data.stored import slug
from demix.data.track import Track
from demix.errors import DemixError

Audio = npt.NDArray[np.float32]


def made(stems: Audio, mixture: Audio | None = None, name: str = "a") -> Track:
    """Return a song that needs no files."""
    return Track(name, "train", lambda: (stems, mixture), ())


def test_the_real_excerpt_is_not_clipped_and_keeps_its_mixture(tmp_path: Path, falcon: Path) -> None:
    stems, mixture = musdb.read_stem_mp4(falcon)
    prepare([made(stems, mixture)], tmp_path)
    (stored,) = open_store(tmp_path)
    audio = stored.audio()
    assert audio.shape == (5, 2, 268_288)
    assert np.abs(audio[:4] * stored.scale - stems).max() <= stored.scale * 0.51
    assert np.abs(audio[4] * stored.scale - mixture).max() <= stored.scale * 0.51
    assert np.abs(audio[4] * stored.scale).max() > 1
    assert stored.scale == pytest.approx(np.abs(mixture).max() / 32767)


def test_a_mixture_is_stored_unless_it_is_the_sum(tmp_path: Path, song_excerpt: Audio) -> None:
    stems = song_excerpt[:, :, :4410]
    rounded = [np.round(waveform * 32768) / np.float32(32768) for waveform in (*stems, stems.sum(axis=0))]
    tracks = [
        made(stems, stems.sum(axis=0), "sum"),
        made(np.stack(rounded[:4]), rounded[4], "rounded to 16 bits"),
        made(stems, stems.sum(axis=0) + np.float32(1e-3), "offset"),
    ]
    prepare(tracks, tmp_path)
    assert [stored.has_mixture for stored in open_store(tmp_path)] == [False, False, True]
    assert [len(stored.audio()) for stored in open_store(tmp_path)] == [4, 4, 5]


def test_levels_are_recorded(tmp_path: Path, song_excerpt: Audio) -> None:
    stems = song_excerpt[:, :, :88_200].copy()
    stems[2] = 0
    prepare([made(stems)], tmp_path)
    (stored,) = open_store(tmp_path)
    assert stored.rms_db[0] == pytest.approx(10 * np.log10(np.mean(stems[0] ** 2)), abs=0.01)
    assert stored.rms_db[2] == -np.inf
    assert stored.peak == pytest.approx(np.abs(stems).max(axis=(1, 2)))
    assert stored.silent_share == (0, 0, 1, 0)


def test_another_song_in_place_of_one_is_named(tmp_path: Path, songs: Path) -> None:
    prepare(folder.tracks(songs), tmp_path / "store")
    path = open_store(tmp_path / "store")[0].path
    np.save(path, np.zeros((4, 2, 100), np.int16))
    with pytest.raises(DemixError, match=r"expected int16 \(4, 2, 22050\), received int16 \(4, 2, 100\)"):
        open_store(tmp_path / "store")


def test_names_make_safe_and_different_file_names() -> None:
    names = ["AC/DC: ü?", "../../etc", "ac dc", "AC-DC", "", "x" * 300, "日本語", "CON"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for made_slug in slugs:
        assert set(made_slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(made_slug) < 80
