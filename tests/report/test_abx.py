"""Blind trials in a real browser: nothing tells before the vote, and what is said after it is what was heard."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from scipy.stats import binomtest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Notes which buffer every source plays and how loud it is set: the ear that the page cannot fool.
SPY = """
window.sources = [];
const Source = AudioBufferSourceNode;
window.AudioBufferSourceNode = class extends Source {
  constructor(context, settings) {
    super(context, settings);
    const samples = this.buffer.getChannelData(0);
    let sum = 0;
    for (const each of samples) sum += each * each;
    this.print = sum.toFixed(6);
    window.sources.push(this);
  }
  connect(target) { this.level = target.gain; return super.connect(target); }
};
const set = AudioParam.prototype.setValueAtTime;
AudioParam.prototype.setValueAtTime = function (value, when) {
  this.wanted = value;
  return set.call(this, value, when);
};
window.audible = () => window.sources.slice(-2).filter((each) => each.level.wanted > 0)
  .map((each) => [each.print, each.level.wanted]);
"""

PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)

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
def visit(browser: Browser, evident_page: Path) -> Iterator[Open]:
    """Give a function that opens the page; what goes to the console fails the test."""
    contexts, said = [], []

    def begin(**settings: Any) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings))
        page = contexts[-1].new_page()
        page.add_init_script(SPY)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(evident_page.as_uri(), wait_until="domcontentloaded")
        return page

    yield begin
    for each in contexts:
        each.close()
    assert not said


def start(page: Page, stem: str = "drums", trials: int = 8) -> None:
    page.select_option(".abx select[name=stem]", stem)
    page.select_option(".abx select[name=planned]", str(trials))
    page.click(".abx button[type=submit]")
    expect(page.locator(".abx .count")).to_have_text(f"Trial 1 of {trials}: {stem}")


def hear(page: Page, key: str) -> tuple[str, float]:
    """Press a voice and return what sounds: a print of the buffer, and its gain."""
    page.click(f".abx [data-play={key}]")
    expect(page.locator(f".abx [data-play={key}]")).to_have_attribute("aria-pressed", "true")
    ((sound, gain),) = page.evaluate("audible()")
    return sound, gain


def votes_of(page: Page) -> list[dict[str, Any]]:
    stored = page.evaluate("Object.entries(localStorage)")
    assert len(stored) <= 1
    return json.loads(stored[0][1]) if stored else []


def test_x_is_what_it_is_said_to_be_after_the_vote(visit: Open) -> None:
    page = visit()
    start(page)
    prints: dict[str, str] = {}
    for trial in range(1, 9):
        heard = {key: hear(page, key) for key in "abx"}
        assert heard["a"] != heard["b"]
        assert heard["x"] in (heard["a"], heard["b"])
        guess = "a" if heard["x"] == heard["a"] else "b"
        page.click(f".abx [data-vote={guess}]")
        expect(page.locator(".abx .reveal")).to_contain_text(f"Right: X was {guess.upper()}")
        vote = votes_of(page)[-1]
        assert (vote["trial"], vote["vote"], vote["right"]) == (trial, guess, True)
        for key in "ab":  # the same name is always the same sound
            assert prints.setdefault(vote[key], heard[key][0]) == heard[key][0]
        if trial < 8:
            page.click(".abx .next")
    assert len(set(prints.values())) == 2
    expect(page.locator(".abx .reveal")).to_contain_text("8 of 8 right, p = 0.004: you tell the nets apart")


def test_both_voices_are_played_at_the_gains_that_make_them_equally_loud(visit: Open) -> None:
    page = visit()
    gains = json.loads(page.get_attribute(".abx", "data-about") or "")["gains"]["vocals"]
    start(page, "vocals")
    assert sorted(round(hear(page, key)[1], 6) for key in "ab") == sorted(gains.values())
    assert gains["unet"] != gains["vit"]


def test_nothing_in_the_page_tells_before_the_vote(visit: Open) -> None:
    """Over many trials the box looks the same whichever net is A and whichever is X."""
    page = visit()
    start(page, trials=24)
    looks, truths = set(), set()
    for trial in range(1, 25):
        for key in "abx":
            hear(page, key)
        html = page.locator(".abx").evaluate(
            "box => box.querySelector('.trial').outerHTML + box.querySelector('.reveal').outerHTML"
        )
        looks.add(html.replace(f"Trial {trial} of", "Trial of"))
        assert len(votes_of(page)) == trial - 1
        page.click(".abx [data-vote=a]")
        vote = votes_of(page)[-1]
        truths.add((vote["a"], vote["x"]))
        if trial < 24:
            page.click(".abx .next")
    assert len(looks) == 1
    assert len(truths) == 4  # shuffled: missed by chance once in 250 times


def test_no_vote_before_x_and_another_were_heard(visit: Open) -> None:
    page = visit()
    start(page)
    for keys, ready in (("x", False), ("xa", True)):
        for key in keys:
            hear(page, key)
        expect(page.locator(".abx [data-vote=a]")).to_be_enabled(enabled=ready)
    page.click(".abx [data-vote=a]")
    expect(page.locator(".abx [data-vote=b]")).to_be_disabled()  # one vote a trial
    assert len(votes_of(page)) == 1


def test_by_keyboard_with_p_only_at_the_end(visit: Open) -> None:
    page = visit()
    page.locator(".abx select[name=planned]").select_option("8")
    page.locator(".abx button[type=submit]").focus()
    page.keyboard.press("Enter")
    for trial in range(1, 9):
        expect(page.locator(".abx .count")).to_contain_text(f"Trial {trial} of 8")
        for key in "xab":
            page.keyboard.press(key)
            expect(page.locator(f".abx [data-play={key}]")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("1")
        expect(page.locator(".abx .reveal")).to_contain_text("X was")
        if trial < 8:
            expect(page.locator(".abx tbody td").nth(2)).to_have_text("–")
            page.keyboard.press("Enter")  # the button for the next trial has the focus
    right = sum(vote["right"] for vote in votes_of(page))
    p = binomtest(right, 8, 0.5, alternative="greater").pvalue
    expect(page.locator(".abx tbody td").nth(1)).to_have_text(f"{right} of 8")
    expect(page.locator(".abx tbody td").nth(2)).to_have_text(f"{p:.3f}")
    expect(page.locator(".abx tbody td").nth(3)).to_have_text("told apart" if p <= 0.05 else "cannot tell")


def test_votes_are_kept_exported_and_cleared(visit: Open, tmp_path: Path) -> None:
    page = visit()
    start(page, "other")
    hear(page, "x")
    hear(page, "b")
    page.click(".abx [data-vote=b]")
    kept = votes_of(page)
    page.reload()
    expect(page.locator(".abx tbody tr")).to_have_count(1)
    expect(page.locator(".abx tbody td").nth(3)).to_have_text("not finished (8 planned)")
    with page.expect_download() as download:
        page.click(".abx .export")
    assert download.value.suggested_filename == "abx-free-tiny.csv"
    download.value.save_as(tmp_path / "votes.csv")
    (row,) = csv.DictReader((tmp_path / "votes.csv").read_text().splitlines())
    assert row == {name: str(value).lower() if name == "right" else str(value) for name, value in kept[0].items()}
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click(".abx .clear")
    assert votes_of(page) == kept
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(".abx .clear")
    expect(page.locator(".abx .votes")).to_be_hidden()
    assert votes_of(page) == []


def test_the_two_players_never_sound_together(visit: Open) -> None:
    page = visit()
    start(page)
    hear(page, "a")
    page.click(".player .play")
    expect(page.locator(".abx [data-play=a]")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".player .play")).to_have_text("Pause")
    hear(page, "b")
    expect(page.locator(".player .play")).to_have_text("Play")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_in_use_and_no_wider_than_the_screen(visit: Open, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    start(page)
    for key in "xa":
        hear(page, key)
    page.click(".abx [data-vote=a]")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_sections_stand_still_without_scripts(visit: Open) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator(".abx form")).to_be_hidden()
    assert re.search("need JavaScript", page.locator(".abx").inner_text())
