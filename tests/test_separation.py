"""Whole songs from file to files: length, rate, channels, tags, sum; what fails leaves nothing and stops nothing."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from demix import audio, separation_song, songs
from demix.audio_read import AudioSource
from demix.config import STEMS
from demix.errors import DemixError
from demix.output import Output
from demix.separation import separate
from demix.separation_events import Outcome, Progress
from demix.separator import Separator
from demix.spectral import STFT

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]
SHARES = np.array([0.4, 0.3, 0.2, 0.1], np.float32)


def steady(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """Give each stem a fixed share of everything."""
    return np.broadcast_to(SHARES.reshape(1, 4, 1, 1, 1), (len(spectrum), 4, *spectrum.shape[1:]))


MODELS = {"steady": Separator(masker=steady, stft=STFT(), chunk_seconds=0.5)}


@pytest.fixture(scope="module")
def music(song_excerpt: Audio) -> Audio:
    """One second in which every stem sounds, all in one; within full scale."""
    return song_excerpt.sum(axis=0)[:, 66_150:110_251] / 2


def read(path: str | Path) -> Audio:
    with AudioSource(Path(path)) as source:
        return np.concatenate(list(source.blocks()), axis=1)


def run(*inputs: Path, out: Path, **options: object) -> list[Outcome]:
    return separate(inputs, models=MODELS, output=Output(out, **options))  # type: ignore[arg-type]


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_stems_are_like_the_song_and_add_up_to_it(
    tmp_path: Path, music: Audio, kind: str, channels: int, rate: int
) -> None:
    song = np.tile(music, (3, 1))[:channels]
    soundfile.write(tmp_path / "song.wav", song.T, rate, subtype="PCM_16")
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", kind=kind)
    assert outcome.status == "done", outcome.error
    assert list(outcome.stems) == list(STEMS)
    assert (outcome.sample_rate, outcome.channels) == (rate, channels)
    for path in outcome.stems.values():
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.frames) == (rate, channels, song.shape[1])
    total = sum(read(path) for path in outcome.stems.values())
    assert np.abs(total - read(tmp_path / "song.wav")).max() <= 4 * 2**-16 + 1e-6
    assert any("channels" in note for note in outcome.notes) == (channels > 2)


@pytest.mark.parametrize("samples", [1, 22_049, 22_050])
def test_short_songs(tmp_path: Path, music: Audio, samples: int) -> None:
    for rate in (44_100, 96_000):
        soundfile.write(tmp_path / f"{rate}.wav", music[:, :samples].T, rate)
        [outcome] = run(tmp_path / f"{rate}.wav", out=tmp_path / "out")
        assert [soundfile.info(path).frames for path in outcome.stems.values()] == [samples] * 4


def test_silence_stays_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((50_000, 2)), 44_100)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out")
    assert all(not read(path).any() for path in outcome.stems.values())


def test_two_stems_and_tags(tmp_path: Path, music: Audio) -> None:
    with av.open(str(tmp_path / "song.mp3"), "w") as container:
        container.metadata.update({"title": "Lithium", "artist": "Software-Entwicklungskit"})
        stream = container.add_stream("libmp3lame", rate=44_100)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(music), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    [outcome] = run(tmp_path / "song.mp3", out=tmp_path / "out", two_stems="drums", depth="float32")
    assert list(outcome.stems) == ["drums", "no_drums"]
    song = read(tmp_path / "song.mp3")
    np.testing.assert_allclose(read(outcome.stems["no_drums"]), 0.7 * song, atol=1e-5)
    with AudioSource(Path(outcome.stems["drums"])) as source:
        assert source.tags == {"title": "Lithium", "artist": "Software-Entwicklungskit"}


@pytest.mark.parametrize("clip_mode", ["rescale", "clamp", "none"])
@pytest.mark.parametrize("depth", ["int16", "float32"])
def test_clip_modes(tmp_path: Path, music: Audio, clip_mode: str, depth: str) -> None:
    """Loud songs: quieter as a whole, cut, or left as they are where the format can hold them."""
    loud = music * np.float32(4 / np.abs(music).max())
    soundfile.write(tmp_path / "song.wav", loud.T, 44_100, subtype="FLOAT")
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", clip_mode=clip_mode, depth=depth)
    stems = np.stack([read(path) for path in outcome.stems.values()])
    expected = SHARES.reshape(4, 1, 1) * loud
    if clip_mode == "rescale" and depth == "int16":
        expected = expected / 1.6
        assert outcome.notes == ["all stems turned down by 4.1 dB, or they would clip"]
    elif clip_mode == "clamp" or depth == "int16":
        expected = expected.clip(-1, 1)
    np.testing.assert_allclose(stems, expected, atol=2**-15)


@pytest.mark.parametrize(("peak", "said"), [(1.001, "0.1 dB"), (2, "6.0 dB"), (20, "26.0 dB")])
def test_how_much_quieter_is_said_in_db(tmp_path: Path, music: Audio, peak: float, said: str) -> None:
    loud = music * np.float32(peak / SHARES[0] / np.abs(music).max())
    soundfile.write(tmp_path / "song.wav", loud.T, 44_100, subtype="FLOAT")
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out")
    assert outcome.notes == [f"all stems turned down by {said}, or they would clip"]


@pytest.mark.parametrize(("rate", "greatest"), [(8_000, 64), (22_050, 160), (44_100, 320)])
def test_mp3_of_a_low_rate_says_where_it_ends(tmp_path: Path, music: Audio, rate: int, greatest: int) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, rate)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", kind="mp3")
    note = f"mp3 of {rate} Hz ends at {greatest} kbit/s"
    assert outcome.notes == ([note] if greatest < 320 else [])
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out2", kind="mp3", mp3_bitrate=greatest)
    assert outcome.notes == []


@pytest.mark.parametrize(
    ("kind", "channels", "says"),
    [("mp3", 3, "wav or flac"), ("mp3", 8, "wav or flac"), ("mp3", 9, "wav"), ("flac", 9, "wav")],
)
def test_too_many_channels_name_the_formats_that_hold_them(
    tmp_path: Path, music: Audio, kind: str, channels: int, says: str
) -> None:
    soundfile.write(tmp_path / "song.wav", np.tile(music, (5, 1))[:channels].T, 44_100)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", kind=kind)
    assert (outcome.error or "").endswith(f"received {channels}; write {says}")
    if says == "wav or flac":
        assert run(tmp_path / "song.wav", out=tmp_path / "out", kind="flac")[0].status == "done"


def test_mp3_of_a_rate_that_mp3_does_not_know_says_so(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 96_000)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", kind="mp3")
    assert outcome.sample_rate == 44_100
    assert outcome.notes == ["mp3 does not know 96000 Hz: written with 44100 Hz"]


def test_folders_are_searched_and_bad_files_stop_nothing(tmp_path: Path, music: Audio) -> None:
    album = tmp_path / "album"
    for name in ("cd1/ä song.wav", "cd2/-song.flac", "a.wav", ".hidden/b.wav", "out/c.wav"):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(album / name, music.T, 44_100)
    (album / "cover.jpg").write_bytes(b"no song")
    (album / "broken.mp3").write_bytes(b"no song either")
    heard: list[Progress | Outcome] = []
    outcomes = separate(
        [album, tmp_path / "gone.wav", album / "a.wav"],
        models=MODELS | {"again": MODELS["steady"]},
        output=Output(album / "out"),
        jobs=3,
        on_event=heard.append,
    )
    status = {(Path(outcome.song).name, outcome.model): outcome.status for outcome in outcomes}
    assert len(status) == len(outcomes) == 10
    for (name, _), each in status.items():
        assert each == ("failed" if name in ("broken.mp3", "gone.wav") else "done")
    assert all("\n" not in (outcome.error or "") for outcome in outcomes)
    made = files_below(album / "out")
    assert made == sorted(
        ["c.wav"]
        + [
            f"{model}/{track}/{stem}.wav"
            for model in ("steady", "again")
            for track in ("cd1/ä song", "cd2/-song", "a")
            for stem in STEMS
        ]
    )
    assert [event for event in heard if isinstance(event, Outcome)].__len__() == 10
    done = [event for event in heard if isinstance(event, Progress) and event.song.endswith("a.wav")]
    assert done[-1].total_seconds == pytest.approx(1.00002, abs=1e-4)


def test_what_is_there_is_skipped_unless_forced(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    [first] = run(tmp_path / "song.wav", out=tmp_path / "out")
    vocals = Path(first.stems["vocals"])
    before = hashlib.sha256(vocals.read_bytes()).hexdigest()
    audio.write(vocals, np.zeros_like(music), sample_rate=44_100)
    [second] = run(tmp_path / "song.wav", out=tmp_path / "out")
    assert (second.status, second.stems) == ("skipped", first.stems)
    assert not read(vocals).any()
    [third] = run(tmp_path / "song.wav", out=tmp_path / "out", force=True)
    assert third.status == "done"
    assert hashlib.sha256(vocals.read_bytes()).hexdigest() == before  # and the same input gives the same bytes


def test_songs_of_the_same_name_do_not_overwrite_each_other(tmp_path: Path, music: Audio) -> None:
    for name in ("song.wav", "song.flac"):
        soundfile.write(tmp_path / name, music.T, 44_100)
    first, second = run(tmp_path / "song.wav", tmp_path / "song.flac", out=tmp_path / "out")
    assert (first.status, second.status) == ("done", "failed")
    assert "{trackext}" in (second.error or "")
    both = run(tmp_path, out=tmp_path / "out", filename="{track}-{trackext}-{stem}.{ext}")
    assert [outcome.status for outcome in both] == ["done", "done"]


def test_stems_of_another_song_of_that_name_are_neither_kept_nor_lost(tmp_path: Path, music: Audio) -> None:
    for folder, length in (("a", 1), ("b", 3)):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "01.wav", np.tile(music, length).T, 44_100)
    [first] = run(tmp_path / "a", out=tmp_path / "out")
    [second] = run(tmp_path / "b", out=tmp_path / "out")
    assert second.status == "failed"
    assert "those last 1.0 s and the song 3.0 s" in (second.error or "")
    assert read(first.stems["drums"]).shape == music.shape
    assert run(tmp_path / "a", out=tmp_path / "out")[0].status == "skipped"
    both = run(tmp_path / "a", tmp_path / "b", out=tmp_path / "new")
    assert "give one another --out" in (both[1].error or "")


def test_stems_that_cannot_be_read_are_written_again(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    [first] = run(tmp_path / "song.wav", out=tmp_path / "out")
    Path(first.stems["vocals"]).write_bytes(b"")
    assert run(tmp_path / "song.wav", out=tmp_path / "out")[0].status == "done"
    assert read(first.stems["vocals"]).shape == music.shape


@pytest.mark.parametrize("filename", ["{track}_{stem}.{ext}", "{stem}.{ext}", "{stem}/{track}.{ext}", "a/b/{stem}"])
def test_any_file_name_works_in_a_new_folder(tmp_path: Path, music: Audio, filename: str) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", filename=filename)
    assert outcome.status == "done", outcome.error
    assert sorted(f"out/{path}" for path in files_below(tmp_path / "out")) == sorted(
        Path(path).relative_to(tmp_path).as_posix() for path in outcome.stems.values()
    )


def test_names_without_a_name_stop_nobody(tmp_path: Path, music: Audio) -> None:
    for name in ("...mp3", "song.wav"):
        soundfile.write(tmp_path / name, music.T, 44_100, format="WAV")
    outcomes = run(tmp_path / "...mp3", tmp_path / "song.wav", out=tmp_path / "out")
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    assert (tmp_path / "out" / "steady" / "...mp3" / "bass.wav").is_file()
    [failed, done] = run(tmp_path / "...mp3", tmp_path / "song.wav", out=tmp_path / "o", filename="{trackext}.{stem}")
    assert (failed.status, done.status) == ("done", "done")


def test_folders_without_songs_and_folders_that_cannot_be_read(
    tmp_path: Path, music: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("empty", "all/closed", "all/open"):
        (tmp_path / name).mkdir(parents=True)
    soundfile.write(tmp_path / "all" / "open" / "song.wav", music.T, 44_100)
    (tmp_path / "all" / "open" / "round").symlink_to(tmp_path / "all")  # a loop
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    soundfile.write(tmp_path / "elsewhere" / "other.wav", music.T, 44_100)
    closed = str(tmp_path / "all" / "closed")
    scan, access = songs.os.scandir, songs.os.access

    def scan_open(path: str) -> object:
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return scan(path)

    monkeypatch.setattr("os.scandir", scan_open)  # who is root may read everything
    monkeypatch.setattr("os.access", lambda path, mode: str(path) != closed and access(path, mode))
    outcomes = run(tmp_path / "empty", tmp_path / "all", out=tmp_path / "out")
    told = {Path(outcome.song).name: (outcome.status, outcome.error or "") for outcome in outcomes}
    assert sorted(told) == ["closed", "empty", "other.wav", "song.wav"]
    assert (told["other.wav"][0], told["song.wav"][0]) == ("done", "done")
    assert "found none" in told["empty"][1]
    assert "expected a folder that can be read" in told["closed"][1]


@pytest.mark.parametrize("place", [".", "out"])
def test_stems_are_no_songs_wherever_they_go(tmp_path: Path, music: Audio, place: str) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    for expected in ("done", "skipped"):
        assert [outcome.status for outcome in run(tmp_path, out=tmp_path / place)] == [expected]


def test_stems_of_another_model_are_no_songs(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    separate(tmp_path, models={"unet": MODELS["steady"]}, output=Output(tmp_path))
    assert [outcome.song for outcome in run(tmp_path, out=tmp_path)] == [str(tmp_path / "song.wav")]


def test_an_mp3_with_more_behind_its_music_is_whole_and_done_once(tmp_path: Path, music: Audio) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, np.tile(music, 4).T, 44_100)
    [made] = run(source, out=tmp_path / "made", kind="mp3")
    content = Path(made.stems["vocals"]).read_bytes()
    cases = {"zeros": content + bytes(len(content)), "joined": content + content, "plain": content}
    for name, data in cases.items():
        (tmp_path / f"{name}.mp3").write_bytes(data)
        for expected in ("done", "skipped"):
            [outcome] = run(tmp_path / f"{name}.mp3", out=tmp_path / "out")
            assert outcome.status == expected, (name, outcome.error)
        assert read(tmp_path / "out" / "steady" / name / "bass.wav").shape[1] >= 4 * music.shape[1]
    (tmp_path / "cut.mp3").write_bytes(content[: len(content) * 3 // 4])
    assert "cut off" in (run(tmp_path / "cut.mp3", out=tmp_path / "out")[0].error or "")


def test_a_film_whose_header_counts_another_stream_is_done_once(tmp_path: Path, music: Audio, encode_mp4: Make) -> None:
    song = encode_mp4(tmp_path / "film.mp4", [music], picture_first=True)
    assert [run(song, out=tmp_path / "out")[0].status for _ in range(2)] == ["done", "skipped"]


def test_too_short_for_mp3_at_its_rate_is_one_sentence(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T[:1], 96_000)
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out", kind="mp3")
    assert "too short" in (outcome.error or "")
    assert files_below(tmp_path) == ["song.wav"]


def test_models_and_folders_of_every_kind(tmp_path: Path, music: Audio) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    output = Output(str(tmp_path / "out"))  # type: ignore[arg-type]
    [outcome] = separate(str(tmp_path / "song.wav"), models=MODELS, output=output)
    assert outcome.status == "done"
    with pytest.raises(DemixError, match="expected at least one, received none"):
        separate(tmp_path / "song.wav", models=[])
    with pytest.raises(DemixError, match="plain names"):
        separate(tmp_path / "song.wav", models={"../evil": MODELS["steady"]}, output=output)
    with pytest.raises(DemixError, match="nothing: expected a model"):
        separate(tmp_path / "song.wav", models=Path("nothing"))


def test_an_empty_name_is_not_this_folder() -> None:
    with pytest.raises(DemixError, match="received an empty name"):
        separate("", models=MODELS)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DemixError("told to"), OSError(28, "No space left on device")])
def test_an_end_in_the_middle_leaves_nothing_half_written(
    tmp_path: Path, music: Audio, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    soundfile.write(tmp_path / "song.wav", np.tile(music, 5).T, 44_100)
    written = []

    def fail_later(self: object, stems: Audio) -> None:
        written.append(stems.shape)
        if len(written) == 3:
            raise error

    monkeypatch.setattr(separation_song.StemFiles, "write", fail_later)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "song.wav", out=tmp_path / "out")
    else:
        [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out")
        assert outcome.status == "failed"
    assert len(written) == 3
    assert files_below(tmp_path) == ["song.wav"]


def test_a_song_too_large_for_the_disk_is_refused_before(
    tmp_path: Path, music: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "song.wav", music.T, 44_100)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 64 << 20})())
    [outcome] = run(tmp_path / "song.wav", out=tmp_path / "out")
    assert "of free disk" in (outcome.error or "")
    assert files_below(tmp_path) == ["song.wav"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"jobs": 0}, "jobs: expected at least 1"),
        ({"overlap": 1.0}, "overlap: expected 0 to 0.95"),
        ({"segment_seconds": 0.0}, "segment: expected more than 0 and at most 120"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path: Path, options: dict[str, float], says: str) -> None:
    with pytest.raises(DemixError, match=says):
        separate(tmp_path, models=MODELS, **options)  # type: ignore[arg-type]
