"""The report: made of a results folder as evaluation writes it, and read back."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.ndimage import gaussian_filter, uniform_filter

from demix import report
from demix.config import SAMPLE_RATE, STEMS
from demix.errors import DemixError
from demix.evaluation.baselines import BASELINES
from demix.evaluation.scores import read_scores, score_track, summarise, write_scores, write_seconds
from demix.report import listen
from demix.report.history import History, smooth
from demix.report.listen import embed
from demix.report.plots import draw_scores
from demix.report.read import read_results
from demix.report.spectra import mask_error, mel_rows
from demix.report.tables import Row, Table, to_html, to_markdown
from demix.spectral import STFT

SONGS = Path(__file__).parents[1] / "songs"
MAX_HZ = 8_000
EXCERPT_SECONDS = 3
EXCERPT_TO_END_SECONDS = 18  # of Lithium: all four stems sound there

# ---- a results folder ----


def read_song(name: str, seconds: float) -> np.ndarray:
    """Read the end of a song, `(stems, channels, samples)`; a stem without a file is silent."""
    frames = int(seconds * SAMPLE_RATE)
    stems = np.zeros((len(STEMS), 2, frames), np.float32)
    for index, stem in enumerate(STEMS):
        if (path := SONGS / name / f"{stem}.ogg").is_file():
            length = soundfile.info(path).frames
            wave, _ = soundfile.read(path, start=length - frames, dtype="float32", always_2d=True)
            stems[index] = wave.T
    return stems


def nets_of(masks: np.ndarray) -> dict[str, np.ndarray]:
    """Make up two nets: the ideal masks seen through a blur, and through patches; `(stems, channels, bins, frames)`."""
    blurred = np.stack([gaussian_filter(mask, (0, 6, 2)) for mask in masks])
    patchy = np.stack([uniform_filter(mask, (1, 24, 9)) for mask in masks])
    return {"unet": 0.9 * blurred + 0.025, "vit": 0.9 * patchy + 0.025}


def make_results(folder: Path, songs: dict[str, float], hpss: Callable | None = None) -> Path:
    """Write a results folder: the seconds of each song to score; the first one lends the excerpt."""
    stft, rows, seconds = STFT(), [], []
    for name, length in songs.items():
        stems = read_song(name, length)
        mixture = stems.sum(axis=0)
        spectra = stft.forward(stems)
        power = np.abs(spectra) ** 2 + 1e-12
        oracle = power / power.sum(axis=0)
        masks = nets_of(oracle)
        estimates = {
            net: stft.inverse((mask * stft.forward(mixture)).astype(np.complex64), samples=mixture.shape[-1])
            for net, mask in masks.items()
        }
        functions = BASELINES | {"hpss": hpss or (lambda mixture, _: np.stack([mixture / 3] * len(STEMS)))}
        estimates |= {baseline: function(mixture, stems) for baseline, function in functions.items()}
        for system, estimate in estimates.items():
            new_rows, new_seconds = score_track(stems, estimate, system=system, track=name)
            rows += new_rows
            seconds += new_seconds
        if name == next(iter(songs)):
            write_excerpt(folder / "excerpt", stems, estimates, masks | {"oracle": oracle}, stft)
    write_scores(folder / "scores.csv", rows)
    write_seconds(folder / "seconds.csv", seconds)
    for index, net in enumerate(("unet", "vit")):
        write_history(folder / f"history-{net}.csv", rate=1.0 - 0.3 * index)
    (folder / "results.json").write_text(json.dumps(facts_of(songs)))
    return folder


def write_excerpt(folder: Path, stems: np.ndarray, estimates: dict, masks: dict, stft: STFT) -> None:
    folder.mkdir(parents=True)
    start = stems.shape[-1] - EXCERPT_TO_END_SECONDS * SAMPLE_RATE
    samples, bins = EXCERPT_SECONDS * SAMPLE_RATE, int(MAX_HZ * stft.n_fft / SAMPLE_RATE)
    sounds = {"truth": stems, "unet": estimates["unet"], "vit": estimates["vit"]}
    sounds = {name: waves[..., start : start + samples] for name, waves in sounds.items()}
    for name, waves in sounds.items():
        for stem, wave in zip(STEMS, waves, strict=True):
            soundfile.write(folder / f"{name}-{stem}.flac", np.clip(wave.T, -1, 1), SAMPLE_RATE)
    mixture = sounds["truth"].sum(axis=0)
    soundfile.write(folder / "mixture.flac", np.clip(mixture.T, -1, 1), SAMPLE_RATE)

    def shrink(values: np.ndarray) -> np.ndarray:
        values = values[..., : bins // 2 * 2, :]
        return values.reshape(*values.shape[:-2], bins // 2, 2, -1).mean(axis=-2)

    def level_db(waves: np.ndarray) -> np.ndarray:
        return 10 * np.log10(shrink((np.abs(stft.forward(waves)) ** 2).mean(axis=-3)) + 1e-9)

    truth_db = level_db(sounds["truth"])
    first = start // stft.hop_length
    arrays = {
        name: shrink(mask.mean(axis=1))[..., first : first + truth_db.shape[-1]].astype(np.float16)
        for name, mask in masks.items()
    }
    np.savez_compressed(folder / "masks.npz", mixture_db=level_db(mixture), truth_db=truth_db, **arrays)


def write_history(path: Path, rate: float) -> None:
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", "loss", "learning_rate", "valid_sdr"])
        for step in range(1, 601):
            loss = 0.3 + 0.7 * np.exp(-rate * step / 120) + 0.05 * rng.standard_normal()
            sdr = 6 * (1 - np.exp(-rate * step / 150)) - 1 if step % 50 == 0 else ""
            writer.writerow([step, step * (0.38 + 0.05 * rate), loss, 1e-3, sdr])


def facts_of(songs: dict[str, float]) -> dict:
    shared = {"kind": "net", "steps": 600, "batch_size": 4, "segment_seconds": 6.0, "mask": "softmax"}
    nets = [
        {"name": "unet", "label": "U-Net", "parameters": 912_000, "gflops_per_second": 1.31} | shared,
        {"name": "vit", "label": "ViT", "parameters": 934_000, "gflops_per_second": 2.72} | shared,
    ]
    for net, seconds, speed in zip(nets, (258.0, 249.0), (41.0, 33.5), strict=True):
        net |= {"training_seconds": seconds, "realtime_factor": speed, "config": {"model": {"name": net["name"]}}}
    labels = {"mixture": "Mixture (floor)", "equal": "Equal masks", "hpss": "HPSS", "oracle": "Oracle mask (ceiling)"}
    return {
        "name": "free-tiny",
        "created": "2026-11-22 20:14",
        "version": "0.1.0",
        "commit": None,
        "command": "demix compare",
        "dataset": {
            "name": "free",
            "root_label": "songs that ship with demix (everything-is-free)",
            "licence": "CC0-1.0",
            "artists": ["Software-Entwicklungskit"],
            "train": ["caesium", "francium", "hydrogen", "potassium", "rubidium"],
            "valid": ["sodium"],
            "test": list(songs),
            "train_minutes": 5.4,
            "test_minutes": sum(songs.values()) / 60,
        },
        "systems": [*nets, *({"name": name, "kind": "baseline", "label": text} for name, text in labels.items())],
        "excerpt": {
            "track": next(iter(songs)),
            "start_seconds": next(iter(songs.values())) - EXCERPT_TO_END_SECONDS,
            "seconds": EXCERPT_SECONDS,
            "sample_rate": SAMPLE_RATE,
            "hop_length": 1024,
            "n_fft": 4096,
            "max_hz": MAX_HZ,
        },
        "machine": {"cpu": "a 2-core machine", "cores": 2, "python": "3.11.7", "torch": "2.13.0"},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of two songs; the second one has no bass."""
    return make_results(tmp_path_factory.mktemp("results"), {"lithium": 22.0, "caesium": 11.0})


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return report.build(folder).read_text(encoding="utf-8")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder to spoil, without the page."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("index.html", "table.md"))
    return copy


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


# ---- the page ----


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
    assert len(links) == 8
    assert {link[1:] for link in links} <= set(ids)
    assert len(elements.named("img")) == 4 * 6
    assert all(image["alt"] for image in elements.named("img"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in elements.named("svg"))
    assert all(head.get("scope") in ("col", "row") for head in elements.named("th"))
    assert all(audio.get("aria-label") for audio in elements.named("audio"))
    assert [len(elements.named(tag)) for tag in ("h1", "main", "caption")] == [1, 1, 6]


def test_plots_take_every_colour_from_the_page(page: str) -> None:
    assert re.search(r"#0\wfe0\w", page) is None
    light, dark = re.findall(r":root \{(.*?)\}", page, flags=re.DOTALL)
    colours = {name for name in re.findall(r"var\(--([\w-]+)\)", page)} - {"serif", "sans", "columns", "colour"}
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
    import base64

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


def test_names_cannot_break_the_page(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "draw_player", lambda results: "")
    shutil.rmtree(copied / "excerpt")
    path = copied / "results.json"
    facts = json.loads(path.read_text())
    facts["name"] = facts["command"] = facts["dataset"]["train"][0] = facts["systems"][0]["label"] = '<b>&"$x'
    facts["systems"][2]["label"] = "</script>"
    path.write_text(json.dumps(facts))
    page = report.build(copied).read_text(encoding="utf-8")
    assert '<b>&"' not in page
    assert page.count("</script>") == 1
    assert "&lt;b&gt;&amp;&quot;$x" in page


@pytest.mark.parametrize("kept", ["unet", "none"])
def test_fewer_nets_make_a_smaller_page(copied: Path, kept: str) -> None:
    shutil.rmtree(copied / "excerpt")
    path = copied / "results.json"
    facts = json.loads(path.read_text())
    facts["systems"] = [each for each in facts["systems"] if each["kind"] == "baseline" or each["name"] == kept]
    path.write_text(json.dumps(facts))
    page = report.build(copied).read_text(encoding="utf-8")
    assert 'id="difference"' not in page
    assert ("no net was scored" in page) == (kept == "none")
    assert len(report.summary(copied).tables) == (4 if kept == "unet" else 3)


def test_plots_are_the_same_every_time(folder: Path) -> None:
    results = read_results(folder)
    assert draw_scores(results, "sdr") == draw_scores(results, "sdr")


def test_the_report_imports_neither_torch_nor_what_only_drawing_needs(folder: Path) -> None:
    code = "import sys, pathlib; from demix import report; report.summary(pathlib.Path(sys.argv[1])); "
    code += "assert not {'torch', 'matplotlib', 'librosa'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


# ---- folders that are not as they should be ----


def spoil_json(folder: Path) -> None:
    (folder / "results.json").write_text("{")


def spoil_facts(folder: Path) -> None:
    (folder / "results.json").write_text('{"name": "x"}')


def spoil_scores(folder: Path) -> None:
    lines = (folder / "scores.csv").read_text().splitlines(keepends=True)
    (folder / "scores.csv").write_text("".join(line for line in lines if not line.startswith("vit,")))


def spoil_history(folder: Path) -> None:
    (folder / "history-vit.csv").write_text("step,seconds,loss\n1,2,x\n")


def spoil_sound(folder: Path) -> None:
    (folder / "excerpt" / "unet-bass.flac").write_bytes(b"no sound")


def spoil_masks(folder: Path) -> None:
    np.savez(folder / "excerpt" / "masks.npz", mixture_db=np.zeros((4, 5)), truth_db=np.zeros((4, 4, 5)))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "results.json").unlink(), "results.json"),
        (lambda folder: (folder / "seconds.csv").unlink(), "seconds.csv"),
        (spoil_json, "results.json"),
        (spoil_facts, "created, version, dataset, systems"),
        (spoil_scores, "expected scores of vit"),
        (spoil_history, "history-vit.csv"),
        (spoil_sound, "unet-bass.flac"),
        (spoil_masks, "oracle"),
    ],
)
def test_a_spoilt_folder_is_named_and_left_without_a_page(
    copied: Path, spoil: Callable[[Path], None], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "_mp3", lambda *_: b"")
    spoil(copied)
    with pytest.raises(DemixError, match=re.escape(named)):
        report.build(copied)
    assert not list(copied.glob("*index.html*"))


# ---- parts ----


def test_mel_rows_keep_levels_and_order() -> None:
    assert mel_rows(np.full((300, 4), 3.0), max_hz=8_000) == pytest.approx(3.0)
    ramp = np.repeat(np.linspace(0, 1, 300)[:, None], 2, axis=1)
    rows = mel_rows(ramp, max_hz=8_000)
    assert (np.diff(rows[:, 0]) > 0).all()
    assert rows[len(rows) // 2, 0] < 0.35  # the lower half of the picture belongs to the low frequencies


def test_mask_error_is_weighted_by_what_sounds() -> None:
    oracle, mixture_db = np.array([[1.0, 0.0]]), np.array([[0.0, -200.0]])
    assert mask_error(oracle, oracle, mixture_db) == 0
    assert mask_error(np.array([[0.5, 1.0]]), oracle, mixture_db) == pytest.approx(0.5)


def test_history_tells_whether_the_end_was_reached(folder: Path) -> None:
    steps = np.arange(1.0, 101.0)
    nothing = np.full(100, np.nan)
    sdr = np.where(steps % 10 == 0, np.minimum(steps, 70), np.nan)
    assert History(steps, steps, nothing, sdr).rise_db() == 0
    assert History(steps, steps, nothing, np.where(steps % 10 == 0, steps, np.nan)).rise_db() == 30
    assert History(steps, steps, nothing, nothing).rise_db() is None
    assert smooth(np.full(9, 2.0), 4) == pytest.approx(2.0)


def test_tables_say_the_same_in_html_and_markdown() -> None:
    table = Table("a < b", ("system", "x|y"), (Row(("net", "1"), colour="net-1", strong=True),), "how to read")
    assert "a &lt; b" in to_html(table)
    assert to_markdown(table).splitlines()[2:5] == ["| system | x\\|y |", "|---|---:|", "| **net** | **1** |"]
