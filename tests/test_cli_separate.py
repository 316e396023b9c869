"""`demix separate` as a process, with a model so simple that its stems are known."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import soundfile

from demix.config import STEMS
from demix.onnx_model import Facts

Audio = npt.NDArray[np.float32]
SHARES = (0.4, 0.3, 0.2, 0.1)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that gives each stem a fixed share of everything."""
    spectrum = onnx.helper.make_tensor_value_info("spectrum", 1, ["batch", 2, "bins", "frames", 2])
    masks = onnx.helper.make_tensor_value_info("masks", 1, ["batch", 4, 2, "bins", "frames"])
    zero = onnx.numpy_helper.from_array(np.zeros(2, np.float32), "zero")  # (bins, frames, 2) @ zero -> (bins, frames)
    axis = onnx.numpy_helper.from_array(np.array([1]), "axis")
    shares = onnx.numpy_helper.from_array(np.array(SHARES, np.float32).reshape(1, 4, 1, 1, 1), "shares")
    nodes = [
        onnx.helper.make_node("MatMul", ["spectrum", "zero"], ["nothing"]),
        onnx.helper.make_node("Unsqueeze", ["nothing", "axis"], ["room"]),
        onnx.helper.make_node("Add", ["room", "shares"], ["masks"]),
    ]
    graph = onnx.helper.make_graph(nodes, "steady", [spectrum], [masks], [zero, axis, shares])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    facts = Facts("steady", "unet", STEMS, 44_100, 4096, 1024, 2, "softmax", 0.5, 4, "0.0.0")
    onnx.helper.set_model_props(model, facts.to_metadata())
    path = tmp_path_factory.mktemp("model") / "steady.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def song(tmp_path: Path, song_excerpt: Audio) -> Path:
    """One second of music as 16-bit wav."""
    soundfile.write(tmp_path / "a song.wav", song_excerpt.sum(axis=0)[:, 66_150:110_250].T / 2, 44_100)
    return tmp_path / "a song.wav"


def start(folder: Path, *arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "demix", "separate", *map(str, arguments)],
        cwd=folder,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        preexec_fn=None if sys.platform == "win32" else hear_signals,
    )


def hear_signals() -> None:
    """A suite in the background of a shell ignores Ctrl-C, one under nohup SIGHUP, and their children inherit that."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def demix(folder: Path, *arguments: object, piped: bytes | None = None) -> tuple[int, str, str]:
    """Run the command to its end; return status, output, errors."""
    with start(folder, *arguments, stdin=subprocess.DEVNULL if piped is None else subprocess.PIPE) as process:
        out, error = process.communicate(piped, timeout=120)
    assert b"Traceback" not in error
    return process.returncode, out.decode(), error.decode()


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_song_becomes_four_files(song: Path, steady: Path) -> None:
    status, out, _ = demix(song.parent, song.name, "--model", steady)
    assert status == 0
    assert out.startswith("a song.wav: separated/steady/a song (0:01, ")
    assert files_below(song.parent / "separated") == sorted(f"steady/a song/{stem}.wav" for stem in STEMS)
    mixture = soundfile.read(song)[0]
    for stem, share in zip(STEMS, SHARES, strict=True):
        written = soundfile.read(song.parent / "separated" / "steady" / "a song" / f"{stem}.wav")[0]
        np.testing.assert_allclose(written, share * mixture, atol=2**-15)
    status, out, _ = demix(song.parent, song.name, "--model", steady)
    assert (status, "skipped" in out) == (0, True)


def test_json_lines_and_a_bad_file_among_good_ones(song: Path, steady: Path) -> None:
    (song.parent / "-text.mp3").write_text("no music")
    arguments = ["-n", steady, "-o", "out", "--json", "--flac", "--two-stems", "vocals", "-j", "2"]
    status, out, error = demix(song.parent, *arguments, "--", "-text.mp3", song.name, "gone.wav")
    assert status == 2
    lines = {line["song"]: line for line in map(json.loads, out.splitlines())}
    assert {name: line["status"] for name, line in lines.items()} == {
        "-text.mp3": "failed",
        "gone.wav": "failed",
        "a song.wav": "done",
    }
    assert lines["a song.wav"]["stems"]["no_vocals"] == "out/steady/a song/no_vocals.flac"
    assert lines["a song.wav"]["seconds"] == 1
    told = [line for line in error.splitlines() if line.startswith("demix: ")]
    assert sorted(line.split(":")[1] for line in told) == [" -text.mp3", " gone.wav"]


def test_standard_input(song: Path, steady: Path) -> None:
    status, out, _ = demix(song.parent, "-", "-n", steady, "-o", "out", piped=song.read_bytes())
    assert status == 0, out
    assert files_below(song.parent / "out") == sorted(f"steady/stdin/{stem}.wav" for stem in STEMS)
    status, out, _ = demix(song.parent, "-", "-n", steady, "-o", "out", piped=song.read_bytes())
    assert (status, "skipped" in out) == (0, False)  # nobody knows whether it is the same song
    status, _, error = demix(song.parent, "-", "-n", steady, "-o", "out2", piped=b"no music")
    assert status == 2
    assert error.strip().startswith("demix: standard input: ")
    assert files_below(song.parent / "out2") == []


def test_two_models_side_by_side(song: Path, steady: Path) -> None:
    (other := song.parent / "models" / "other.onnx").parent.mkdir()
    other.write_bytes(steady.read_bytes())
    status, _, _ = demix(song.parent, song.name, "-n", steady, "-n", other, "--mp3")
    assert status == 0
    assert {path.split("/")[0] for path in files_below(song.parent / "separated")} == {"steady", "other"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nothing"], "nothing: expected a model"),
        (["--int24", "--float32"], "expected one of them"),
        (["--mp3", "--flac"], "expected one of them"),
        (["--mp3", "--int24"], "no bit depth"),
        (["--flac", "--float32"], "flac holds int16, int24"),
        (["--overlap", "1"], "overlap: expected 0 to 0.95"),
        (["--filename", "x.{ext}"], "expected {stem}"),
        (["--clip-mode", "soft"], "rescale, clamp, none"),
        (["--device", "abacus"], "abacus"),
        (["-o", "a song.wav"], "a song.wav"),
        (["--loud"], "No such option: --loud"),
        (["-j", "many"], "; see demix separate --help"),
        ([""], "received an empty name"),
        (["--model", "."], ".: expected a run folder"),
    ],
)
def test_what_users_get_wrong_is_one_sentence(song: Path, steady: Path, arguments: list[str], says: str) -> None:
    model = [] if "--model" in arguments else ["-n", steady]
    status, _, error = demix(song.parent, song.name, *model, *arguments)
    assert status == 2
    [line] = error.strip().splitlines()
    assert line.startswith("demix: ")
    assert says in line
    assert files_below(song.parent) == ["a song.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_end_from_outside_leaves_nothing_half_written(tmp_path: Path, song_excerpt: Audio, name: str) -> None:
    long = np.tile(song_excerpt.sum(axis=0), 40)  # four minutes
    soundfile.write(tmp_path / "long.wav", long.T / 2, 44_100)
    with start(tmp_path, "long.wav") as process:  # a net that takes seconds: a busy machine is late with its signal
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.raw")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert b"Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["long.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_names_that_steer_terminals_and_names_like_options(song: Path, steady: Path) -> None:
    strange = song.rename(song.parent / "a\x1b[31m\nb [red]c[red].wav")
    status, out, error = demix(song.parent, strange.name, "-n", steady)
    assert (status, error) == (0, "")
    [line] = out.splitlines()
    assert "\x1b" not in line
    assert "a\\x1b[31m\\nb [red]c[red].wav: separated" in line
    leading = strange.rename(song.parent / "-lead.wav")
    status, _, error = demix(song.parent, leading.name, "-n", steady)
    assert status == 2
    assert "write ./-lead.wav" in error
    assert demix(song.parent, "-n", steady, "--", leading.name)[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
@pytest.mark.parametrize(
    "options", [["--float32"], ["--flac"], ["--mp3"], [], ["--clip-mode", "none"], ["--mp3", "--clip-mode", "clamp"]]
)
def test_a_full_disk_is_one_sentence(song: Path, steady: Path, options: list[str]) -> None:
    """A limit on the size of files stands for the end of the disk."""
    arguments = ["separate", song.name, "-n", str(steady), *options]
    script = (
        "import resource, signal, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from demix.cli import main\n"
        f"sys.argv = ['demix', *{arguments!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=song.parent, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("demix: ")
    assert ".part" not in line
    if "--clip-mode" in options:
        assert line.startswith("demix: separated/steady/a song/vocals.")
    assert files_below(song.parent) == ["a song.wav"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_length(tmp_path: Path, song_excerpt: Audio, steady: Path) -> None:
    """The stems of the long song alone would take 140 MB as floats."""
    mixture = song_excerpt.sum(axis=0).T / 2
    peaks = []
    for times in (2, 18):
        soundfile.write(tmp_path / f"{times}.wav", np.tile(mixture, (times, 1)), 44_100)
        script = (
            f"import sys; sys.argv = ['demix', 'separate', '{times}.wav', '-n', {str(steady)!r}]\n"
            "from demix.cli import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    assert peaks[1] < peaks[0] + 60, peaks


def test_help_and_doctor() -> None:
    done = subprocess.run([sys.executable, "-m", "demix", "doctor"], capture_output=True, text=True, check=True)
    assert "onnxruntime" in done.stdout
    assert ", used" in done.stdout
