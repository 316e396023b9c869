"""Every figure of the page: its data beside it, a file that opens on its own, a command that draws it again."""

import base64
import csv
import json
import re
from pathlib import Path
from xml.parsers import expat

import numpy as np
import pytest

from demix import report
from demix.errors import DemixError
from demix.report.build import redraw
from demix.report.colours import MARKERS, colour_of, mark
from demix.report.figure import Plot
from demix.report.history import band
from demix.report.plots_cost import COSTS, cost_plots
from demix.report.read import read_results
from demix.report.sections import drawn

COLOUR = re.compile(r"#[0-9a-f]{6}\b")


@pytest.fixture(scope="module")
def plots(seeded: Path) -> dict[str, Plot]:
    return {plot.name: plot for part in drawn(read_results(seeded)).values() for plot in part.plots}


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "figures" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_drawing_of_the_page_is_a_figure_with_data_and_command(
    seeded: Path, seeded_page: str, plots: dict[str, Plot]
) -> None:
    large = seeded_page.count('role="img"')
    assert large == len(plots) == seeded_page.count('<figure id="figure-')
    files = {path.name for path in (seeded / "figures").iterdir()}
    assert files == {f"{name}.{ending}" for name in plots for ending in ("csv", "svg")}
    for name in plots:
        assert f"--figure {name}</span>" in seeded_page
        data = re.search(rf'download="{name}.csv" href="data:text/csv;base64,([^"]+)"', seeded_page)
        assert data is not None
        assert base64.b64decode(data.group(1)) == (seeded / "figures" / f"{name}.csv").read_bytes()


def test_data_parse_and_are_whole(seeded: Path, seeded_page: str, plots: dict[str, Plot]) -> None:
    assert seeded_page
    for name, plot in plots.items():
        rows = rows_of(seeded, name)
        assert len(rows) == len(plot.rows) > 0
        assert all(set(row) == set(plot.columns) and None not in row.values() for row in rows)


def test_data_hold_what_is_drawn(seeded: Path, seeded_page: str, plots: dict[str, Plot]) -> None:
    assert seeded_page
    results = read_results(seeded)
    for row in rows_of(seeded, "scores-sdr"):
        assert float(row["sdr_db"]) == pytest.approx(results.score("sdr", row["system"], row["stem"]), rel=1e-5)
        assert f"{row['label']}, {row['stem']} {float(row['sdr_db']):.2f}".replace("-", "−") in plots[
            "scores-sdr"
        ].svg.replace("-", "−")
    mean = results.difference("sdr")
    assert mean is not None
    (row,) = (row for row in rows_of(seeded, "difference-sdr") if row["stem"] == "mean")
    assert [float(row[key]) for key in ("difference_db", "low_db", "high_db")] == pytest.approx(
        [mean.difference_db, mean.low_db, mean.high_db], rel=1e-5
    )
    songs = rows_of(seeded, "songs-sdr")
    assert [row["song"] for row in songs] == [*results.test_songs, "mean"]
    assert float(songs[0]["vit_sdr_db"]) == pytest.approx(results.songs["sdr"]["vit"]["lithium"]["mean"], rel=1e-5)
    curve = [row for row in rows_of(seeded, "valid_sdr-seconds") if row["system"] == "vit"]
    expected = band(results.histories["vit"], "valid_sdr", "seconds")
    assert [float(row["seconds"]) for row in curve] == pytest.approx(expected.x, rel=1e-5)
    for key in ("mean", "low", "high"):
        assert [float(row[f"valid_sdr_db_{key}"]) for row in curve] == pytest.approx(getattr(expected, key), rel=1e-5)
    assert float(curve[-1]["valid_sdr_db_low"]) < float(curve[-1]["valid_sdr_db_mean"])


def test_costs_are_means_over_seeds_with_their_range(seeded: Path, plots: dict[str, Plot]) -> None:
    results = read_results(seeded)
    assert [name for name in plots if name.startswith("cost-")] == [f"cost-{c.key.replace('_', '-')}" for c in COSTS]
    by_name = {
        row[0]: dict(zip(plots["cost-training-seconds"].columns, row, strict=True))
        for row in plots["cost-training-seconds"].rows
    }
    assert by_name["unet"]["training_seconds"] == pytest.approx(258 + 12)
    seeds = [results.run_scores["sdr"][run]["mean"] for run in results.nets[0].runs]
    assert by_name["unet"]["sdr_lowest_seed_db"] == pytest.approx(min(seeds))
    assert by_name["unet"]["sdr_highest_seed_db"] == pytest.approx(max(seeds))
    assert "At equal training time" in plots["cost-training-seconds"].title
    assert "At 2.1 times the computing the ViT" in plots["cost-gflops-per-second"].title


def test_controls_stand_hollow_beside_the_nets(seeded: Path, folder: Path) -> None:
    plain, beside = cost_plots(read_results(seeded)), cost_plots(read_results(seeded), read_results(folder))
    assert len(beside[0].rows) == len(plain[0].rows) + 2
    assert [row[2] for row in beside[0].rows] == [0, 0, 1, 1]
    assert "Hollow" in beside[0].note
    assert "Hollow" not in plain[0].note


def test_drawings_open_on_their_own(seeded: Path, seeded_page: str) -> None:
    assert seeded_page
    for path in (seeded / "figures").glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        parser = expat.ParserCreate()
        parser.Parse(text, True)
        assert "var(" not in text
        assert re.search(r'<svg [^>]*xmlns="http://www.w3.org/2000/svg"[^>]* width="\d', text)
        assert '<rect width="100%" height="100%" fill="#ffffff"/>' in text
        assert not any(colour[3:5] == "fe" and colour[1] in "01" for colour in COLOUR.findall(text))


def test_one_figure_is_drawn_again_the_same(seeded: Path, seeded_page: str) -> None:
    assert seeded_page
    for name in ("songs-sdr", "loss-step"):
        before = [(seeded / "figures" / f"{name}.{ending}").read_bytes() for ending in ("svg", "csv")]
        for ending in ("svg", "csv"):
            (seeded / "figures" / f"{name}.{ending}").unlink()
        assert [path.read_bytes() for path in redraw(seeded, name)] == before


def test_an_unknown_figure_is_told_which_there_are(seeded: Path) -> None:
    with pytest.raises(DemixError, match=r"--figure: expected one of scores-sdr, .*songs-sdr.*, received 'nothing'"):
        redraw(seeded, "nothing")


def test_figures_of_an_earlier_report_go(copied: Path) -> None:
    (copied / "figures").mkdir()
    (copied / "figures" / "old.svg").write_text("<svg/>")
    (copied / "figures" / "notes.txt").write_text("mine")
    report.build(copied)
    names = {path.name for path in (copied / "figures").iterdir()}
    assert "old.svg" not in names
    assert {"notes.txt", "scores-sdr.svg"} <= names


def test_eight_nets_have_eight_colours_and_signs_and_more_do_not_crash() -> None:
    colours = [colour_of(f"net {index}", net=index) for index in range(8)]
    assert len(set(colours)) == len({MARKERS[colour] for colour in colours}) == 8
    assert not {MARKERS[colour] for colour in colours} & {
        MARKERS[name] for name in ("mixture", "equal", "hpss", "oracle", "baseline")
    }
    assert all("var(--net-" in mark(colour_of("net", net=index)) for index in range(20))
    assert np.unique([mark(colour) for colour in colours]).size == 8


def test_costs_that_lie_far_apart_have_an_axis_of_plain_numbers(copied: Path) -> None:
    facts = json.loads((copied / "results.json").read_text())
    for entry, seconds in zip(facts["systems"], (60.0, 6000.0), strict=False):
        entry["training_seconds"] = seconds
    (copied / "results.json").write_text(json.dumps(facts))
    plot = next(plot for plot in cost_plots(read_results(copied)) if plot.name == "cost-training-seconds")
    numbers = re.findall(r">([^<>]+)</text>", plot.svg)
    assert {"1", "10", "100"} <= set(numbers)  # minutes
    assert not any("$" in number for number in numbers)
