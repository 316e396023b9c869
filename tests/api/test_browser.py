"""The page in a real browser (Debian's chromium): what a listener does, from the drop to the delete."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"  # to look at; not committed
PATIENCE_MS = 60_000
# Notes when and where in the song every source of sound starts: what is not the same for all is not in time. Listens
# to what reaches the loudspeakers.
SPY = """
window.starts = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset, duration) {
  window.starts.push({ when, offset, now: this.context.currentTime, seconds: this.buffer?.duration });
  return start.apply(this, arguments);
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...more) {
  if (target === this.context.destination) connect.call(this, window.ear = this.context.createAnalyser());
  return connect.call(this, target, ...more);
};
window.level = () => {
  const samples = new Float32Array(window.ear.fftSize);
  window.ear.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
};
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser, server: Any) -> Iterator[Open]:
    """Give a function that opens the page in a browser of its own; what goes to its console fails the test."""
    contexts, said = [], []

    def begin(place: str = "/", tolerated: str = "nothing", **settings: Any) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(SPY)
        page.on("console", lambda message: tolerated in message.text or said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(server.url + place)
        return page

    yield begin
    for each in contexts:
        each.close()
    assert not said


@pytest.fixture(scope="module")
def example(server: Any) -> str:
    """Give the address of the example's separation, done."""
    job = server.http.post(
        "/api/v1/separations", data={"example": "lithium", "models": ["unet", "vit"], "format": "flac"}
    )
    return f"/#/s/{server.wait(job.json()['id'])['id']}"


def by(page: Page, name: str) -> Any:
    return page.get_by_test_id(name)


def position(page: Page) -> float:
    return float(by(page, "player").get_attribute("data-time"))


def ready(page: Page, systems: str) -> None:
    expect(by(page, "player")).to_have_attribute("data-ready", systems, timeout=PATIENCE_MS)


def wait_until(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "seconds => Number(document.querySelector('[data-testid=player]').dataset.time) >= seconds", arg=seconds
    )


def test_a_song_from_the_drop_to_the_delete(visit: Open, server: Any, song: Path) -> None:
    page = visit()
    expect(by(page, "recent")).to_be_hidden()
    by(page, "file").set_input_files(song)
    expect(by(page, "player")).to_be_visible(timeout=PATIENCE_MS)
    ready(page, "unet vit")
    page.screenshot(path=SHOTS / "song.png", full_page=True)
    job_id = page.url.rsplit("/", 1)[1]
    job = server.job(job_id)
    assert (job["title"], job["models"]) == (song.name, ["unet", "vit"])

    with page.expect_download() as download:
        by(page, "download-vocals").click()
    assert download.value.suggested_filename == "my song - vocals (unet).flac"
    assert Path(download.value.path()).read_bytes() == server.stem(job, "unet", "vocals", format="flac").content
    with page.expect_download() as archive:
        by(page, "download-zip").click()
    assert archive.value.suggested_filename.endswith(".zip")

    page.reload()
    ready(page, "unet vit")
    page.goto(server.url)
    expect(by(page, "recent")).to_contain_text(song.name)
    page.reload()
    expect(by(page, "recent")).to_contain_text(song.name)
    by(page, "recent").get_by_role("link", name=re.compile("my song")).first.click()
    ready(page, "unet vit")
    by(page, "delete").click()
    by(page, "confirm").click()
    expect(by(page, "drop")).to_be_visible()
    expect(by(page, "recent")).to_be_hidden()
    assert server.http.get(f"/api/v1/separations/{job_id}").status_code == 404


def test_nets_are_switched_without_losing_the_beat(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    by(page, "play").click()
    wait_until(page, 0.5)
    starts = page.evaluate("window.starts")
    assert len(starts) == 12, "four stems of three systems"
    assert len({(each["when"], each["offset"]) for each in starts}) == 1, "not sample-locked"
    for system in ("vit", "truth", "unet"):
        before, clock = position(page), page.evaluate("performance.now()")
        by(page, f"system-{system}").click()
        expect(by(page, "player")).to_have_attribute("data-system", system)
        expect(by(page, f"system-{system}")).to_have_attribute("aria-pressed", "true")
        after, elapsed = position(page), (page.evaluate("performance.now()") - clock) / 1000
        assert 0 <= after - before <= elapsed + 0.1, "the beat was lost"  # a busy machine's sound may lag, never leap
    assert len(page.evaluate("window.starts")) == 12, "a switch must not start anything anew"
    expect(by(page, "player")).to_have_attribute("data-playing", "true")
    by(page, "play").click()
    expect(by(page, "player")).to_have_attribute("data-playing", "false")
    held = position(page)
    page.wait_for_timeout(300)
    assert position(page) == held


def test_one_stem_is_heard_and_only_that(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    by(page, "solo-vocals").click()
    expect(by(page, "solo-vocals")).to_have_attribute("aria-pressed", "true")
    by(page, "mute-vocals").click()
    expect(by(page, "mute-vocals")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(by(page, "mute-drums")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+Digit3")
    expect(by(page, "solo-bass")).to_have_attribute("aria-pressed", "true")
    by(page, "volume-bass").focus()
    page.keyboard.press("ArrowLeft")
    assert by(page, "volume-bass").input_value() != "100"


def test_what_is_muted_is_silent(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    by(page, "seek").fill("20")
    by(page, "play").click()
    page.wait_for_function("() => window.level() > 0.001")
    for stem in ("vocals", "drums", "bass", "other"):
        by(page, f"mute-{stem}").click()
    page.wait_for_function("() => window.level() < 1e-6")
    by(page, "system-vit").click()
    page.wait_for_timeout(200)
    assert page.evaluate("window.level()") < 1e-6, "the other net must be as muted as the first"
    by(page, "mute-drums").click()
    page.wait_for_function("() => window.level() > 0.001")
    by(page, "solo-bass").click()
    by(page, "volume-bass").fill("0")
    page.wait_for_function("() => window.level() < 1e-6")


def test_everything_by_keyboard(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    page.keyboard.press("Space")
    expect(by(page, "player")).to_have_attribute("data-playing", "true")
    page.keyboard.press("v")
    expect(by(page, "player")).to_have_attribute("data-system", "vit")
    page.keyboard.press("t")
    expect(by(page, "player")).to_have_attribute("data-system", "truth")
    page.keyboard.press("Space")
    expect(by(page, "player")).to_have_attribute("data-playing", "false")
    before = position(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert position(page) > before + 1
    page.keyboard.press("?")
    expect(by(page, "help-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(by(page, "help-dialog")).to_be_hidden()


def test_a_region_is_looped(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    box = by(page, "wave-drums").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    assert position(page) == pytest.approx(15, abs=0.5)
    by(page, "loop-a").click()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    by(page, "loop-b").click()
    start, end = map(float, by(page, "player").get_attribute("data-loop").split("-"))
    assert 0.1 < end - start < 12
    page.mouse.click(box["x"] + box["width"] * (end - 0.4) / 30, box["y"] + box["height"] / 2)
    page.keyboard.press("Space")
    page.wait_for_timeout(1200)
    expect(by(page, "player")).to_have_attribute("data-playing", "true")
    assert start - 0.05 <= position(page) <= end + 0.05


def test_masks_are_drawn(visit: Open, example: str) -> None:
    page = visit(example)
    ready(page, "unet vit truth")
    by(page, "spectrogram").scroll_into_view_if_needed()
    by(page, "overlay-vocals").check(force=True)
    coloured = """() => {
      const canvases = [...document.querySelectorAll('[data-testid=spectrogram] canvas')];
      return canvases.length >= 3 && canvases.every(canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        let seen = 0;
        for (let at = 0; at < data.length; at += 4) if (Math.max(data[at], data[at + 1], data[at + 2]) > 60) seen += 1;
        return seen > 100;
      });
    }"""
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function(coloured)
    page.screenshot(path=SHOTS / "player.png", full_page=True)


def test_what_is_refused_is_said(visit: Open, tmp_path: Path, server: Any) -> None:
    page = visit(tolerated="status of 422")
    (tmp_path / "notes.mp3").write_text("these are no notes")
    by(page, "file").set_input_files(tmp_path / "notes.mp3")
    expect(page.get_by_role("alert")).to_contain_text("notes.mp3: expected audio, received something")
    page.screenshot(path=SHOTS / "refused.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_nobody_is_shut_out(visit: Open, example: str, server: Any, scheme: str, width: int) -> None:
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "reduced_motion": "reduce"}

    def check(page: Page, name: str) -> None:
        page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name}: wider than the screen"
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    page = visit(**settings)
    expect(by(page, "net-vit")).to_be_visible()
    check(page, "start")
    page.goto(server.url + example)
    ready(page, "unet vit truth")
    by(page, "spectrogram").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    check(page, "player")
    by(page, "help").click()
    check(page, "help")
    page.goto(f"{server.url}/results")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    check(page, "results")


def test_a_report_is_shown_but_kept_apart(visit: Open, server: Any) -> None:
    folder = server.folder / "results" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(
        "<!doctype html><html lang=en><title>My finding</title><body><h1>Finding</h1><script>"
        "try { document.body.append(parent.document.title) } catch (error) { document.body.append('kept apart') }"
        "</script>"
    )
    page = visit("/results")
    frame = page.frame_locator("[data-testid=report]")
    expect(frame.get_by_role("heading")).to_have_text("Finding")
    expect(frame.locator("body")).to_contain_text("kept apart")
