"""Tags: what each format keeps of them, by real round trips, and that the user hears of the rest."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from demix.audio_read import AudioSource
from demix.audio_write import WAV_FIELDS, WAV_TAGS, AudioSink, lost_tags
from demix.output import Output
from demix.separation import separate
from demix.separation_events import Outcome
from demix.separator import Separator
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
COMMON = {"title": "Lithium ü", "artist": "Software-Entwicklungskit", "album": "free", "track": "3/9", "date": "2020"}
MORE = {"album_artist": "all", "composer": "K", "disc": "1/2", "publisher": "P", "lyrics": "la\nla", "mood": "glad"}
RARE = dict.fromkeys(sorted(WAV_TAGS - {"encoded_by"} - COMMON.keys()), "Value 3")
FIELDS = {"IKEY": "C", "ISRC": "x", "IENG": "y", "ikey": "z", "TKEY": "C", "TBPM": "120", "MusicBrainz Album Id": "1-2"}


def write(path: Path, waveform: Audio, tags: dict[str, str], kind: str) -> Path:
    sink = AudioSink(path, kind=kind, depth="int16", sample_rate=44_100, layout="stereo", tags=tags)
    sink.write(waveform)
    sink.close()
    return path


def tags_of(path: str | Path) -> dict[str, str]:
    with AudioSource(Path(path)) as source:
        return {name.lower(): value for name, value in source.tags.items()}


def run(song: Path, **options: object) -> Outcome:
    steady = Separator(
        masker=lambda spectrum: np.full((len(spectrum), 4, *spectrum.shape[1:]), 0.25, np.float32),
        stft=STFT(),
        chunk_seconds=0.5,
    )
    output = Output(song.parent / "out", **options)  # type: ignore[arg-type]
    [outcome] = separate(song, models={"steady": steady}, output=output)
    assert outcome.status == "done", outcome.error
    return outcome


@pytest.fixture(scope="module")
def music(song_excerpt: Audio) -> Audio:
    """A fifth of a second in which every stem sounds; within full scale."""
    return song_excerpt.sum(axis=0)[:, 70_000:79_000] / 2


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("name", [*COMMON, *MORE, *RARE, *FIELDS, "A=B", "ÄÖ", "ARTIST"])
def test_what_is_lost_is_known(tmp_path: Path, music: Audio, kind: str, name: str) -> None:
    value = (COMMON | MORE | RARE | FIELDS).get(name, "Value 3")
    kept = tags_of(write(tmp_path / "a", music, {name: value}, kind))
    assert (kept.get(name.lower()) == value) == (lost_tags(kind, [name]) == [])


@pytest.mark.parametrize("name", sorted(WAV_FIELDS - {"ISFT"}))
def test_every_field_of_wav_has_room(tmp_path: Path, music: Audio, name: str) -> None:
    assert list(tags_of(write(tmp_path / "a", music, {name: "Value 3"}, "wav")).values()) in (["Value 3"], [])
    assert b"Value 3" in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_stems_keep_the_tags_or_the_user_hears_of_it(tmp_path: Path, music: Audio, kind: str) -> None:
    song = write(tmp_path / "song.mp3", music, COMMON | MORE, "mp3")
    before = tags_of(song)
    assert before.keys() == COMMON.keys() | MORE.keys()
    outcome = run(song, kind=kind)
    for path in outcome.stems.values():
        assert tags_of(path) == (COMMON if kind == "wav" else before)
    if kind != "wav":
        assert outcome.notes == []
        return
    [note] = outcome.notes
    names = note.removeprefix("wav has no place for the tags ").removesuffix("; --flac keeps them").split(", ")
    assert sorted(names) == sorted(MORE)  # the order in which FFmpeg reads them is its own


def test_nothing_lost_is_nothing_said(tmp_path: Path, music: Audio) -> None:
    assert run(write(tmp_path / "song.mp3", music, COMMON, "mp3")).notes == []


def test_one_tag_and_very_many(tmp_path: Path, music: Audio) -> None:
    one = run(write(tmp_path / "one.flac", music, {"composer": "K"}, "flac"))
    assert one.notes == ["wav has no place for the tag composer; --flac keeps it"]
    many = run(write(tmp_path / "many.flac", music, {f"note{i:02}": "x" for i in range(30)}, "flac"))
    assert many.notes == [
        "wav has no place for the tags note00, note01, note02, note03, note04, note05 and 24 more; --flac keeps them"
    ]


def test_a_name_that_flac_cannot_hold_points_to_mp3(tmp_path: Path, music: Audio) -> None:
    song = write(tmp_path / "song.mp3", music, {"A=B": "C"}, "mp3")
    assert run(song, kind="flac").notes == ["flac has no place for the tag A=B; --mp3 keeps it"]
    assert run(song, kind="mp3").notes == []


def test_a_name_of_many_lines_stays_on_one(tmp_path: Path, music: Audio) -> None:
    song = write(tmp_path / "song.mp3", music, {"a\nb\x1b[31m": "C"}, "mp3")
    [note] = run(song).notes
    assert note == "wav has no place for the tag ab[31m; --flac keeps it"
