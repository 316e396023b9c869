"""`demix data generate`: songs that training reads, equal for equal seeds, resumed, listed, and heard on a page."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from demix.config import STEMS
from demix.data import dataset_licence, open_dataset
from demix.errors import DemixError
from demix.generate.fonts import find_fonts
from demix.generate.licences import licence_line
from demix.generate.make import Plan, _make_parallel, make_songs
from demix.generate.song_files import check_out, write_lists
from demix.report.generated_page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SONGS = Path(__file__).parents[1] / "songs"

try:
    find_fonts()
except DemixError:
    pytest.skip("no SoundFont is installed", allow_module_level=True)
pytest.importorskip("pedalboard")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few phrases of a singer; notes and phrases are kept in it."""
    folder = tmp_path_factory.mktemp("generate")
    wave, rate = soundfile.read(SONGS / "potassium" / "vocals.ogg", always_2d=True)
    (folder / "singing" / "somebody").mkdir(parents=True)
    soundfile.write(folder / "singing" / "somebody" / "vocals.wav", wave[: 16 * rate], rate)
    return folder


def command(work: Path, out: str, *more: str) -> list[str]:
    given = ["--vocals", str(work / "singing"), "--cache", str(work / "cache"), "--longest", "12"]
    return [sys.executable, "-m", "demix", "data", "generate", str(work / out), *given, *more]


def run(work: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(work, out, *more), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(work: Path) -> Path:
    result = run(work, "first", "--songs", "2", "--seed", "5", "--jobs", "2")
    assert result.returncode == 0, result.stderr
    assert f"{work / 'first'}: 2 songs; listen: {work / 'first' / 'index.html'}" in result.stdout
    return work / "first"


def test_the_songs_are_a_data_set_to_train_on(made: Path) -> None:
    songs = open_dataset(made)
    assert [(song.name, song.split) for song in songs] == [
        ("generated-5-00000", "train"),
        ("generated-5-00001", "train"),
    ]
    for song in songs:
        stems = song.stems()
        assert stems.shape == (4, 2, 12 * 44_100)
        assert stems.any(axis=(1, 2)).sum() >= 3
        assert 0.1 < np.abs(stems.sum(axis=0)).max() < 1
        for path in song.paths:
            assert soundfile.info(path).subtype == "PCM_16"


def test_what_was_used_is_on_record(made: Path) -> None:
    rows = (made / "songs.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3
    assert rows[0].startswith("song,seed,style,bpm")
    record = json.loads((made / "train" / "generated-5-00001" / "song.json").read_text(encoding="utf-8"))
    assert record["style"] in rows[2]
    assert all(re.match(r"(MIT|GPL|CC0|CC BY|CC BY-SA)[ :]", source) for source in record["sources"])
    assert all(source in (made / "README.md").read_text(encoding="utf-8") for source in record["sources"])


def test_a_line_for_model_cards_says_what_the_songs_may_be_used_for(work: Path, made: Path) -> None:
    terms = dataset_licence(str(made))
    assert terms.startswith("for no more than all of their sounds allow, some of which are not known to be free. ")
    assert "not recorded: singing in singing" in terms
    told = work / "singing" / "licence.txt"
    told.write_text("CC0 1.0, by Somebody\nmore\n", encoding="utf-8")
    write_lists(made)
    told.unlink()
    terms = dataset_licence(str(made))
    assert terms.startswith("free to use, change, share and train on, also commercially; who shares them names the ")
    assert "CC0 1.0, by Somebody: singing in singing" in terms
    assert "MIT: " in terms
    for path in made.glob("train/*/song.json"):
        assert all(each.partition(": ")[2] in terms for each in json.loads(path.read_text())["sources"])


def test_a_song_that_was_given_another_name_still_has_its_singers_on_record(made: Path, tmp_path: Path) -> None:
    sung = next(made.glob("train/*/vocals.flac")).parent
    shutil.copytree(sung, tmp_path / "train" / "a better name")
    write_lists(tmp_path)
    assert "not recorded: singing in singing" in dataset_licence(str(tmp_path))


def test_a_licence_may_begin_with_the_mark_that_editors_put_before_a_text(tmp_path: Path) -> None:
    (tmp_path / "licence.txt").write_text("CC0 1.0, by Somebody\n", encoding="utf-8-sig")
    assert dataset_licence(str(tmp_path)) == "CC0 1.0, by Somebody"


@pytest.mark.parametrize(
    "licence",
    [
        "CC BY-NC-SA 4.0",
        "CC BY NC 4.0",
        "CC BY-ND 4.0",
        "CC0: drums; CC BY-NC 4.0",
        "CC BY 4.0, non-commercial",
        "not recorded",
        "MITRE",
        "for research only",
    ],
)
def test_one_sound_that_is_not_free_takes_the_freedom_from_all(licence: str) -> None:
    assert licence_line(["MIT: a by b", "CC BY-SA 3.0: c by d", "CC0: e", "GPL: f by g"]).startswith("free to use")
    assert licence_line(["MIT: a by b", f"{licence}: c by d"]).startswith("for no more")


def test_the_same_seed_makes_the_same_songs_and_another_makes_others(work: Path, made: Path) -> None:
    assert run(work, "again", "--songs", "1", "--seed", "5", "--jobs", "1").returncode == 0
    assert run(work, "other", "--songs", "1", "--seed", "6", "--jobs", "1").returncode == 0
    for path in sorted((made / "train" / "generated-5-00000").glob("*.flac")):
        assert path.read_bytes() == (work / "again" / "train" / "generated-5-00000" / path.name).read_bytes()
    record, other = (
        json.loads((work / name / "song.json").read_text())
        for name in ("again/train/generated-5-00000", "other/train/generated-6-00000")
    )
    assert record["seed"] != other["seed"]


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_run_goes_on_where_it_was(work: Path) -> None:
    arguments = command(work, "killed", "--songs", "5", "--seed", "5", "--jobs", "2")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = work / "killed" / "train" / "generated-5-00000"
    while not first.exists() and process.poll() is None:
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = children.read_text().split() if children.is_file() else []  # Linux tells them
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(6000):
        if not any(map(is_running, workers)):
            break
        time.sleep(0.02)
    assert not any(map(is_running, workers))  # they end with the process that started them
    done = {path.name: path.stat().st_mtime_ns for path in first.parent.glob("generated-*")}
    assert 1 <= len(done) < 5
    assert run(work, "killed", "--songs", "5", "--seed", "5", "--jobs", "1").returncode == 0
    songs = {path.name: path.stat().st_mtime_ns for path in first.parent.iterdir()}
    assert sorted(songs) == [f"generated-5-{number:05d}" for number in range(5)]
    assert {name: songs[name] for name in done} == done
    for path in first.glob("*.flac"):
        assert path.read_bytes() == (work / "first" / "train" / first.name / path.name).read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--songs", "0"], "expected at least one song"),
        (["--loops", "nowhere"], "nowhere: expected a folder with drum loops"),
        (["--vocals", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(work: Path, more: list[str], said: str) -> None:
    result = run(work, "bad", *more)
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("demix")]
    assert len(lines) == 1, result.stderr
    assert said in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def plan(work: Path, out: Path, seconds: float | None = 12.0) -> Plan:
    return Plan(out, 2, 5, (work / "singing",), (), work / "cache", seconds)


@pytest.mark.parametrize("seconds", [-3.0, 0.0, 4.9, math.nan, math.inf])
def test_a_length_that_is_none_is_refused(work: Path, tmp_path: Path, seconds: float) -> None:
    with pytest.raises(DemixError, match=rf"songs of 5 seconds or more, received {seconds:g}; change --longest"):
        make_songs(plan(work, tmp_path / "out", seconds))
    assert not (tmp_path / "out").exists()


def put_song(out: Path, text: str) -> None:
    """A song of somebody else."""
    (out / "train" / "song").mkdir(parents=True)
    (out / "train" / "song" / "song.json").write_text(text)


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (lambda out: out.write_text("mine"), "out: expected a folder for songs, found a file"),
        (lambda out: (out.mkdir(), (out / "README.md").write_text("mine")), "README.md: is in the way"),
        (lambda out: (out / "listen").mkdir(parents=True), "listen: is in the way"),
        (lambda out: (out / "train" / "song" / "takes").mkdir(parents=True), "song: expected a generated song"),
        (lambda out: put_song(out, '{"seed": 3}'), "song: expected a generated song"),
        (lambda out: put_song(out, '{"see'), "a damaged song.json; move the folder away"),
    ],
)
def test_what_others_have_put_there_is_left_alone(
    work: Path, tmp_path: Path, fill: Callable[[Path], object], said: str
) -> None:
    out = tmp_path / "out"
    fill(out)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DemixError, match=re.escape(said)):
        make_songs(plan(work, out))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_folder_of_generated_songs_is_taken_with_its_damaged_song(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "out")
    damaged = tmp_path / "out" / "train" / "generated-5-00001"
    check_out(tmp_path / "out", {damaged})
    (damaged / "song.json").write_text("")
    check_out(tmp_path / "out", {damaged})
    shutil.rmtree(tmp_path / "out" / "train")
    check_out(tmp_path / "out", set())


def test_a_killed_process_is_one_sentence(work: Path, tmp_path: Path) -> None:
    with pytest.raises(DemixError, match=r"a process that made songs was killed.*fewer --jobs"):
        _make_parallel(plan(work, tmp_path), [0, 1], 2, print, partial(os._exit, 1))


def test_a_song_that_was_made_anew_is_heard_anew(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    song = out / "train" / "generated-5-00000"
    os.utime(song / "song.json", (0, 0))
    sounds = {path: path.read_bytes() for path in (out / "listen").iterdir()}
    write_page(out)
    assert {path: path.read_bytes() for path in (out / "listen").iterdir() if song.name in path.name} == {
        path: sound for path, sound in sounds.items() if song.name in path.name
    }
    shutil.copy(song / "drums.flac", song / "other.flac")
    (song / "song.json").touch()
    write_page(out)
    changed = {path.stem.removeprefix(f"{song.name}-") for path, sound in sounds.items() if path.read_bytes() != sound}
    assert changed == {"mixture", "other"}


def test_a_page_needs_songs(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="expected a folder of generated songs, found none; run `demix data generate`"):
        write_page(tmp_path)


def test_the_page_has_a_picture_and_five_sounds_for_every_song(made: Path) -> None:
    page = (made / "index.html").read_text(encoding="utf-8")
    assert page.count('<svg class="pattern"') == 2
    links = re.findall(r'<a class="sound" href="([^"]+)"', page)
    assert len(links) == len(set(links)) == 10
    for song in open_dataset(made):
        sounds = {name: soundfile.read(made / f"listen/{song.name}-{name}.mp3")[0].T for name in ("mixture", *STEMS)}
        assert {sound.shape for sound in sounds.values()} == {(2, 12 * 44_100)}
        assert np.corrcoef(song.mixture()[0], sounds["mixture"][0])[0, 1] > 0.95
    assert "://" not in page  # nothing is loaded from elsewhere


@pytest.fixture(scope="module")
def browser() -> Iterator["object"]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_plays_without_complaints(browser: "object", made: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})  # type: ignore[attr-defined]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((made / "index.html").as_uri())
    sounds = page.locator(".song").nth(0).locator(".sound")
    sounds.nth(0).click()
    page.wait_for_function("document.querySelector('.sound[aria-pressed=true]')")
    page.wait_for_function("Number(document.querySelector('.now').getAttribute('x')) > 1")
    before = float(page.locator(".now").nth(0).get_attribute("x"))
    sounds.nth(2).click()
    page.wait_for_function("document.querySelectorAll('.sound')[2].getAttribute('aria-pressed') === 'true'")
    page.wait_for_function(f"Number(document.querySelector('.now').getAttribute('x')) >= {before}")
    assert page.locator(".sound[aria-pressed=true]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if folder := os.environ.get("DEMIX_SHOTS"):
        page.screenshot(path=f"{folder}/generated-{width}.png", full_page=True)
    page.close()
    assert not said
