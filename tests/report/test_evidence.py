"""The evidence's sections: there when measured, absent when not, and true to their files."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.probes.slope import Slope
from demix.evaluation.scores import read_seconds
from demix.evaluation.statistics import paired_differences
from demix.report.attended import attention_plots, focus
from demix.report.blind import matching_gains
from demix.report.context import context_plots, flat_radius, listening, losses
from demix.report.control_files import compare_controls
from demix.report.evidence import evidence
from demix.report.field import field_plots
from demix.report.figure import Plot, to_csv
from demix.report.lengths import chunk_plot
from demix.report.listen import read_sound
from demix.report.looped import loops_plots
from demix.report.measured import Measured, read_measured
from demix.report.places import LEVEL, TEXT, difference_at, places_part, pooled_sdr
from demix.report.read import read_results
from demix.report.repeated import repetition_plots, slopes_title
from demix.report.results import Results
from demix.report.spread import Estimate

SECTIONS = ("controls", "context", "repetition", "places", "attention")
TABLES = (
    ("probes/context.csv", "loss_db", lambda results: context_plots(results.folder / "probes", results.nets)),
    ("probes/listening.csv", "radius_seconds", lambda results: context_plots(results.folder / "probes", results.nets)),
    ("probes/field.csv", "share", lambda results: field_plots(results.folder / "probes", results.nets)),
    ("probes/field_radius.csv", "radius_seconds", lambda results: field_plots(results.folder / "probes", results.nets)),
    ("probes/attention.csv", "mean_seconds", lambda results: field_plots(results.folder / "probes", results.nets)),
    ("probes/bands.csv", "error_energy", places_part),
    ("probes/levels.csv", "rest_energy", places_part),
    ("probes/repetition.csv", "score", repetition_plots),
    ("chunks.csv", "sdr", chunk_plot),
    ("loops/songs.csv", "seed", loops_plots),
)


@pytest.fixture(scope="module")
def plots(evident: Path) -> dict[str, Plot]:
    return {plot.name: plot for part in evidence(read_results(evident)) for plot in part.plots}


@pytest.fixture
def spoilt(evident: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(evident, tmp_path / "copy"))


def rows_of(plot: Plot) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(plot))))


def test_sections_are_there_when_measured_and_absent_when_not(evident_page: Path, page: str) -> None:
    text = evident_page.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    found = re.findall(r'<section id="(\w+)"', text)
    assert [name for name in found if name in SECTIONS] == list(SECTIONS)
    assert "blind" in found
    assert not set(SECTIONS) & set(re.findall(r'<section id="(\w+)"', page))


def test_every_figure_has_its_data_in_columns_and_takes_its_colours_from_the_page(plots: dict[str, Plot]) -> None:
    assert len(plots) == 24
    for plot in plots.values():
        assert plot.rows, plot.name
        assert {len(row) for row in plot.rows} == {len(plot.columns)}, plot.name
        assert plot.title.strip(), plot.name
        assert "var(--" in plot.svg
        assert not re.search(r"#\w{2}fe\w{2}", plot.svg), plot.name
        assert 'aria-label="' in plot.svg
        assert re.fullmatch(r"[\w-]+", plot.name)
        assert "nan" not in plot.title


@pytest.mark.parametrize(("table", "column", "draw"), TABLES)
def test_a_malformed_table_is_told_by_its_name(
    spoilt: Path, table: str, column: str, draw: Callable[[Results], object]
) -> None:
    path = spoilt / table
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index(column)] = "much"
    path.write_text("\n".join([header, ",".join(cells), *rest]))
    with pytest.raises(DemixError, match=re.escape(table)):
        draw(read_results(spoilt))
    path.write_text("\n".join([header.replace(column, "other"), first, *rest]))
    with pytest.raises(DemixError, match=re.escape(table)):
        draw(read_results(spoilt))


@pytest.mark.parametrize("text", ["{", "{}", '{"track": "a", "start_seconds": 0, "seconds": 2, "systems": {}}'])
def test_malformed_attention_is_told_by_its_name(spoilt: Path, text: str) -> None:
    (spoilt / "probes" / "attention.json").write_text(text)
    with pytest.raises(DemixError, match=r"attention\.npz"):
        attention_plots(read_results(spoilt))


def test_a_table_without_rows_says_that_nothing_was_measured(spoilt: Path) -> None:
    path = spoilt / "probes" / "attention.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert read_measured(path, text=("system",), number=("layer",)) is None
    plots = field_plots(spoilt / "probes", read_results(spoilt).nets)
    assert [plot.name for plot in plots] == ["receptive-field"]


def test_a_control_is_compared_with_its_plain_net_only(plots: dict[str, Plot], evident: Path) -> None:
    seconds = read_seconds(evident / "controls" / "seconds.csv")
    for group, of in (("vit-window-0.5s", "vit"), ("unet-dilated", "unet")):
        plot = plots["controls-attention-window" if of == "vit" else "controls-bottleneck"]
        row = next(row for row in rows_of(plot) if (row["group"], row["stem"]) == (group, "mean"))
        expected = paired_differences(seconds, [f"{group}-0"], [f"{of}-0"])["mean"]
        assert float(row["difference_db"]) == pytest.approx(expected.difference_db, rel=1e-4)
        assert float(row["high_db"]) == pytest.approx(expected.high_db, rel=1e-4)
    assert "dilated bottleneck gains 0.41 dB; cannot tell for U-Net, attention" in plots["controls-bottleneck"].title
    assert "cannot tell" in plots["controls-positions"].title
    assert "±0.5 s costs" in plots["controls-attention-window"].title


def test_a_control_without_its_plain_net_is_told(spoilt: Path) -> None:
    path = spoilt / "controls" / "results.json"
    facts = json.loads(path.read_text())
    facts["systems"] = [entry for entry in facts["systems"] if entry["name"] != "vit-0"]
    path.write_text(json.dumps(facts))
    with pytest.raises(DemixError, match="expected the plain net vit beside vit-window"):
        compare_controls(read_results(spoilt))


def test_chunks_are_averaged_over_stems_and_seeds_song_by_song(plots: dict[str, Plot]) -> None:
    rows = {(row["group"], float(row["chunk_seconds"])): float(row["sdr_db"]) for row in rows_of(plots["chunk-length"])}
    assert rows["vit", 24] - rows["vit", 1.5] == pytest.approx(0.41 * 4 + 0.05 * (24 - 1.5) / 24, abs=1e-3)
    title = plots["chunk-length"].title
    assert re.search(r"U-Net \S+ dB \([^)]*\) from 1.5 to 24 s, cannot tell", title)
    assert title.count("cannot tell") == 1


def context_of(tracks: int, losses_db: dict[str, float]) -> Measured:
    """Return one radius of a made-up curve: system -> loss; a song more loses 0.1 dB more; frames: +- 0.4 dB."""
    cells = [
        (system, f"song {track}", loss + 0.1 * track) for system, loss in losses_db.items() for track in range(tracks)
    ]
    loss = np.array([value for *_, value in cells])
    text = {"system": [system for system, *_ in cells], "track": [track for _, track, _ in cells]}
    text |= {"group": ["vit"] * len(cells), "stem": ["mean"] * len(cells), "fill": ["song"] * len(cells)}
    number = {"radius_seconds": np.ones(len(cells)), "loss_db": loss, "low_db": loss - 0.4, "high_db": loss + 0.4}
    return Measured({name: np.array(column) for name, column in text.items()}, number)


def test_context_averages_seeds_before_songs() -> None:
    few = losses(context_of(2, {"vit-0": 1.0, "vit-1": 3.0}), "vit", "song", "mean")[1.0]
    assert few.value == pytest.approx(2.05)
    assert few.high - few.value == pytest.approx(0.4 / np.sqrt(2))  # seeds share the frames, songs do not
    many = losses(context_of(6, {"vit-0": 1.0, "vit-1": 3.0}), "vit", "song", "mean")[1.0]
    assert many.high - many.value == pytest.approx(2.5706 * np.std(0.1 * np.arange(6), ddof=1) / np.sqrt(6), rel=1e-3)


def test_a_listening_radius_at_the_edge_is_a_bound(plots: dict[str, Plot], evident: Path) -> None:
    keys = ("system", "group", "track", "stem", "fill")
    path = evident / "probes" / "listening.csv"
    rows = read_measured(path, text=keys, number=("radius_seconds", "reaches_edge"))
    assert listening(rows, "unet", "song")[3] is False
    mean, low, high, bound = listening(rows, "vit", "song")
    assert bound
    assert low < mean < high


@pytest.mark.parametrize(
    ("losses_db", "radius", "bound"),
    [
        ((2.0, 0.5, 0.05, -0.02, 0.0), 0.4, False),
        ((2.0, 0.05, 0.5, 0.0, 0.0), 0.8, False),  # flat once is not flat from there on
        ((2.0, 1.0, -0.5, -0.2, 0.0), 1.6, True),
        ((0.0, 0.0, 0.0, 0.0, 0.0), 0.1, False),
    ],
)
def test_a_curve_is_flat_from_where_it_stays_near_zero(
    losses_db: tuple[float, ...], radius: float, bound: bool
) -> None:
    radii = (0.1, 0.2, 0.4, 0.8, 1.6)
    curve = {radius: Estimate(loss, loss, loss, 1) for radius, loss in zip(radii, losses_db, strict=True)}
    assert flat_radius(curve) == (radius, bound)


def test_titles_of_context_say_from_where_on_nothing_is_lost(plots: dict[str, Plot]) -> None:
    rows = rows_of(plots["context-song"])
    for group, label in (("unet", "U-Net"), ("vit", "ViT")):
        own = [(float(row["radius_seconds"]), float(row["loss_db"])) for row in rows if row["group"] == group]
        last = max((radius for radius, loss in own if abs(loss) >= 0.1), default=0.0)
        after = min((radius for radius, _ in own if radius > last), default=max(own)[0])
        assert f"the {label} loses" in plots["context-song"].title
        assert f"±{after:.1f} s" in plots["context-song"].title


def test_levels_of_both_nets_come_from_the_energies(evident: Path, plots: dict[str, Plot]) -> None:
    rows = read_measured(evident / "probes" / "levels.csv", text=TEXT, number=LEVEL)
    assert rows is not None
    drums = rows.where(stem="drums", low_hz=0.0, high_hz=22050.0)
    keys, place = ("input_low_db", "input_high_db"), (0.0, 10.0)
    here = drums.where(group="vit", input_low_db=0.0)
    expected = 10 * np.log10(here.number["reference_energy"].sum() / here.number["error_energy"].sum())
    assert pooled_sdr(drums, "vit", place, keys, drums.unique("track")) == pytest.approx(expected, rel=1e-6)
    nets = read_results(evident).nets
    forth, back = difference_at(drums, nets, place, keys), difference_at(drums, nets[::-1], place, keys)
    assert forth.value == pytest.approx(-back.value)
    assert forth.high == pytest.approx(-back.low)
    shown = next(row for row in rows_of(plots["levels-drums"]) if float(row["input_low_db"]) == 0)
    assert float(shown["vit_sdr_db"]) == pytest.approx(expected, rel=1e-4)
    assert 0 < float(shown["mixture_sdr_db"]) < 10  # the mixture's sdr is the level itself


def test_bands_where_a_stem_is_silent_are_left_out(plots: dict[str, Plot]) -> None:
    assert "bands-drums" in plots
    assert "bands-bass" not in plots  # the excerpt has none


def test_the_points_of_the_repetition_plot_are_the_differences_over_their_seconds(
    plots: dict[str, Plot], evident: Path
) -> None:
    seconds = read_seconds(evident / "seconds.csv")
    rows = rows_of(plots["repetition"])
    assert {row["unit"] for row in rows if row["slope_db_per_unit"]} == {"windows"}  # too few songs
    assert not any(row["track"] == "caesium" and row["stem"] == "bass" for row in rows)  # silent
    row = next(row for row in rows if row["stem"] == "drums" and row["start_seconds"] == "4")
    errors = {
        system: sum(
            each.error_energy
            for each in seconds
            if (each.system, each.track, each.stem) == (system, row["track"], "drums") and 4 <= each.second < 8
        )
        for system in ("unet", "vit")
    }
    assert float(row["difference_db"]) == pytest.approx(10 * np.log10(errors["unet"] / errors["vit"]), rel=1e-4)


@pytest.mark.parametrize(
    ("slopes_db", "words"),
    [
        (
            {"drums": (3, 1, 5), "bass": (1, -1, 3)},
            "ViT’s lead grows on drums (+3.0 dB from score 0 to 1); cannot tell",
        ),
        ({"drums": (-3, -5, -1)}, "lead shrinks on drums"),
        ({"drums": (3, -1, 7)}, "cannot tell for any stem"),
        ({"drums": (np.nan, np.nan, np.nan)}, "cannot tell for any stem"),
    ],
)
def test_only_a_slope_whose_interval_excludes_zero_is_told(
    evident: Path, slopes_db: dict[str, tuple[float, float, float]], words: str
) -> None:
    slopes = {stem: Slope(*ends, unit="songs", units=9, songs=9) for stem, ends in slopes_db.items()}
    assert words in slopes_title(slopes, read_results(evident).nets[1])


@pytest.mark.parametrize(
    ("gain_db", "words"),
    [(1.5, "The loops agree with"), (-1.5, "The loops contradict the hypothesis"), (0.1, "The loops cannot tell")],
)
def test_loops_are_judged_by_the_interaction(spoilt: Path, writers: ModuleType, gain_db: float, words: str) -> None:
    facts = json.loads((spoilt / "results.json").read_text())
    writers.write_loops(spoilt / "loops", facts, gain_db=gain_db, bases=3 if gain_db == 0.1 else 8)
    _, plot = loops_plots(read_results(spoilt))
    assert plot.title.startswith(words)


def test_attention_is_laid_over_the_spectrogram(plots: dict[str, Plot], spoilt: Path) -> None:
    rows = rows_of(plots["attention-vit-1"])
    assert sum(float(row["attention"]) for row in rows) == pytest.approx(1, abs=1e-3)
    query = [row for row in rows if row["is_query"] == "1"]
    assert [(row["row"], row["column"]) for row in query] == [("2", "3")]
    assert float(query[0]["low_hz"]) == 1000
    assert plots["attention-vit-1"].svg.count("<image") == 2
    with np.load(spoilt / "probes" / "attention.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "vit_spectrum_db"}
    np.savez(spoilt / "probes" / "attention.npz", **arrays)
    with pytest.raises(DemixError, match="spectrum_db"):
        attention_plots(read_results(spoilt))


def test_focus_counts_the_patches_that_get_half() -> None:
    assert focus(np.full((4, 5), 0.05))[1] in (10, 11)
    assert focus(np.array([[0.9, 0.05], [0.03, 0.02]])) == (0.9, 1)


def test_blind_voices_are_equally_loud(evident: Path) -> None:
    results = read_results(evident)
    for stem in STEMS:
        gains = matching_gains(results, results.nets, stem)
        if gains is None:
            assert stem == "bass"
            continue
        waves = [read_sound(evident / "excerpt" / f"{net.first_run}-{stem}.flac")[0] for net in results.nets]
        first, second = (np.sqrt(np.mean((gain * wave) ** 2)) for gain, wave in zip(gains, waves, strict=True))
        assert first == pytest.approx(second, rel=1e-5)
        assert max(gains) == 1
        assert min(gains) > 0.1
