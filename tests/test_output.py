"""Where files go: names that stay inside the folder, folders that appear whole."""

from pathlib import Path

import pytest

from demix.errors import DemixError
from demix.output import Output, staged


def test_names_are_filled_in() -> None:
    output = Output(Path("out"), "{stem}/{track}-{trackext}.{ext}", kind="flac", two_stems="drums")
    assert output.targets("unet", "cd1/a song", ".mp3") == {
        "drums": Path("out/unet/drums/cd1/a song-mp3.flac"),
        "no_drums": Path("out/unet/no_drums/cd1/a song-mp3.flac"),
    }


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"filename": "{track}.{ext}"}, r"expected \{stem\}"),
        ({"filename": "{{stem}}.{ext}"}, r"expected \{stem\}"),
        ({"filename": "{track}/{stem}.mp3"}, r"as wav is written"),
        ({"filename": "{stem}/{artist}"}, "only fields"),
        ({"filename": "{stem}{"}, "only fields"),
        ({"filename": "{stem}{track.x}"}, "only fields"),
        ({"filename": "../{stem}"}, "inside the output folder"),
        ({"filename": "/{stem}"}, "inside the output folder"),
        ({"two_stems": "guitar"}, "vocals, drums, bass, other"),
        ({"kind": "flac", "depth": "float32"}, "flac holds int16, int24"),
        ({"kind": "xyz"}, "xyz"),
        ({"clip_mode": "soft"}, "rescale, clamp, none"),
        ({"mp3_bitrate": 33}, "one of 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 kilobits"),
        ({"mp3_bitrate": 100}, "received 100"),
    ],
)
def test_wrong_options_are_one_sentence(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(DemixError, match=says):
        Output(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("there", [False, True])
def test_all_files_appear_at_the_end_and_others_stay(tmp_path: Path, there: bool) -> None:
    targets = Output(tmp_path).targets("m", "song", ".wav")
    folder = tmp_path / "m" / "song"
    if there:
        folder.mkdir(parents=True)
        (folder / "mine.txt").write_text("keep me")
        (folder / "bass.wav").write_text("old")
    with staged(targets, tmp_path / "m") as paths:
        for stem, path in paths.items():
            path.write_text(stem)
        assert not there or (folder / "bass.wav").read_text() == "old"
        assert there or not folder.exists()
    assert {stem: target.read_text() for stem, target in targets.items()} == {stem: stem for stem in targets}
    assert (folder / "mine.txt").exists() == there
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["song"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, DemixError, OSError])
def test_nothing_stays_of_a_block_that_fails(tmp_path: Path, error: type[BaseException]) -> None:
    targets = Output(tmp_path).targets("m", "song", ".wav")

    def fail() -> None:
        with staged(targets, tmp_path / "m") as paths:
            paths["drums"].write_text("half")
            raise error("told to")

    with pytest.raises((error, DemixError), match="told to"):
        fail()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_left_goes_away(tmp_path: Path) -> None:
    targets = Output(tmp_path).targets("m", "song", ".wav")
    with staged(targets, tmp_path / "m") as paths:
        stage = paths["drums"].parent
        for path in paths.values():
            path.write_text("x")
    stage.mkdir()
    (stage / "old.raw").write_text("left")
    with staged(targets, tmp_path / "m") as paths:
        for path in paths.values():
            path.write_text("y")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        target.name for target in targets.values()
    )


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    targets = Output(tmp_path).targets("m", "song", ".wav")
    with pytest.raises(DemixError, match="cannot be written"), staged(targets, tmp_path / "m"):
        pass
