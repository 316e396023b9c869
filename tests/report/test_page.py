"""The page and the Markdown beside it: whole, readable, and true to the files."""

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import soundfile

from demix.config import STEMS
from demix.evaluation.scores import read_scores, summarise
from demix.report.listen import embed
from demix.report.plots import draw_scores
from demix.report.read import read_results


class Elements(HTMLParser):
    """All elements of a page, as (tag, attributes), and whether the tags are balanced."""

    VOID = ("meta", "link", "img", "input", "br", "path", "use", "rect")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.all if name == tag]


def test_page_needs_nothing_but_the_files_beside_it(page: str, folder: Path) -> None:
    elements = Elements(page)
    for tag, attributes in elements.all:
        assert tag != "iframe"
        source = attributes.get("src")
        assert source is None or source.startswith("data:"), (tag, source)
        for name in ("href", "xlink:href"):
            link = attributes.get(name)
            if link is not None and not link.startswith(("#", "data:")):
                assert (folder / link).exists(), link
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert len(page) < 4_000_000


def test_page_is_well_formed_and_says_what_cannot_be_seen(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    ids = [attributes["id"] for _, attributes in elements.all if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [link for a in elements.named("a") if (link := a.get("href") or "").startswith("#")]
    assert len(links) == 10
    assert {link[1:] for link in links} <= set(ids)
    assert len(elements.named("img")) == 4 * 6
    assert all(image["alt"] for image in elements.named("img"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in elements.named("svg"))
    assert all(head.get("scope") in ("col", "row") for head in elements.named("th"))
    assert all(audio.get("aria-label") for audio in elements.named("audio"))
    assert [len(elements.named(tag)) for tag in ("h1", "main", "caption")] == [1, 1, 8]


def test_plots_take_every_colour_from_the_page(page: str) -> None:
    assert re.search(r"#[01]\wfe[01]\w", page) is None
    light, dark = re.findall(r":root \{(.*?)\}", page, flags=re.DOTALL)
    colours = set(re.findall(r"var\(--([\w-]+)\)", page)) - {"serif", "sans", "columns", "colour"}
    assert {"ink", "net-1", "net-2", "mixture", "equal", "hpss", "oracle"} <= colours
    for scheme in (light, dark):
        assert colours <= set(re.findall(r"--([\w-]+):", scheme))


def test_page_and_markdown_show_the_scores(page: str, folder: Path) -> None:
    markdown = (folder / "table.md").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", " ", page)
    rows = read_scores(folder / "scores.csv")
    labels = {system.name: system.label for system in read_results(folder).systems}
    for metric in ("sdr", "sdr_bsseval"):
        for system, values in summarise(rows, metric).items():
            cells = [f"{values[stem]:.2f}".replace("-", "−") for stem in (*STEMS, "mean")]
            assert re.search(r"\s+".join(map(re.escape, [labels[system], *cells])), text), (metric, system)
            assert re.search(r"\W+".join(cell.strip("−") for cell in cells), markdown)
        assert f"<b>{metric} on 2 test songs</b>" in page
        assert f"**{metric} on 2 test songs**" in markdown


def test_a_silent_stem_is_listed_with_its_level(page: str, folder: Path) -> None:
    levels = [row.value for row in read_scores(folder / "scores.csv") if row.metric == "silent_level_dbfs"]
    assert len(levels) == 6
    table = page[page.index("Stems that are silent") :]
    table = table[: table.index("</table>")]
    assert table.count("<td>caesium</td><td>bass</td>") == 6
    assert all(f"<td>{level:.1f}</td>".replace("-", "−") in table for level in levels)


def test_difference_and_its_interval_are_shown_with_what_was_resampled(page: str, folder: Path) -> None:
    difference = read_results(folder).difference("sdr")
    assert difference is not None
    ends = [f"{end:+.2f}".replace("-", "−") for end in (difference.low_db, difference.high_db)]
    assert page.count(f"<td>{ends[0]} to {ends[1]}</td><td>{difference.units} blocks of 10 s</td>") == 1


def test_sound_in_the_page_is_the_excerpt(page: str, folder: Path, tmp_path: Path) -> None:
    sources = [audio["src"] or "" for audio in Elements(page).named("audio")]
    assert len(sources) == 1 + 3 * len(STEMS)
    path = tmp_path / "mixture.mp3"
    path.write_bytes(base64.b64decode(sources[0].removeprefix("data:audio/mpeg;base64,")))
    heard, _ = soundfile.read(path)
    truth, _ = soundfile.read(folder / "excerpt" / "mixture.flac")
    assert heard.shape == truth.shape
    assert np.square(heard - truth).sum() < 0.05 * np.square(truth).sum()


def test_a_smaller_budget_gives_smaller_sound(folder: Path) -> None:
    path = folder / "excerpt" / "truth-drums.flac"
    sizes = [len(embed([path], budget_bytes=budget)[path]) for budget in (10_000_000, 1)]
    assert sizes[1] < 0.8 * sizes[0]


def test_plots_are_the_same_every_time(folder: Path) -> None:
    results = read_results(folder)
    assert draw_scores(results, "sdr") == draw_scores(results, "sdr")


def test_the_report_imports_neither_torch_nor_what_only_drawing_needs(folder: Path) -> None:
    code = "import sys, pathlib; from demix import report; report.summary(pathlib.Path(sys.argv[1])); "
    code += "assert not {'torch', 'matplotlib', 'librosa'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
