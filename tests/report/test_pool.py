"""Several seeds of one net are one system: pooled scores, facts and curves."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from demix import report
from demix.config import STEMS
from demix.evaluation.scores import ScoreRow, read_scores
from demix.metrics import METRICS
from demix.report.history import History, band
from demix.report.pool import Group, group_entries, pairs_of_seeds, pool_scores, song_scores
from demix.report.read import read_results
from demix.report.words import decibels


def entry(name: str, seed: int, **facts: object) -> dict:
    """Make up what results.json says about a run; `rate` is in its config."""
    rate = facts.pop("rate", 1e-3)
    config = {"model": {"name": name.split("-")[0]}, "training": {"seed": seed, "learning_rate": rate}}
    return {"name": name, "kind": "net", "label": name, "seed": seed, "config": config} | facts


def test_runs_are_pooled_by_the_group_that_they_say() -> None:
    entries = [entry("a", 0, group="x"), entry("b", 0, group="y"), entry("c", 7, group="x", rate=1.0)]
    assert [(group.name, group.runs) for group in group_entries(entries)] == [("x", ("a", "c")), ("y", ("b",))]


def test_runs_that_differ_only_in_the_seed_are_pooled_and_ordered_by_it() -> None:
    names = [("unet-seed10", 10), ("unet-seed2", 2), ("vit-seed2", 2)]
    groups = group_entries([entry(name, seed) for name, seed in names] + [entry("unet-seed2-fast", 2, rate=1.0)])
    assert [(group.name, group.runs) for group in groups] == [
        ("unet", ("unet-seed2", "unet-seed10")),
        ("vit-seed2", ("vit-seed2",)),
        ("unet-seed2-fast", ("unet-seed2-fast",)),
    ]


def test_the_same_training_twice_and_runs_without_a_config_stand_alone() -> None:
    assert len(group_entries([entry("unet", 0), entry("unet-again", 0) | {"config": entry("unet", 0)["config"]}])) == 2
    assert len(group_entries([{"name": "mixture"}, {"name": "oracle"}])) == 2


def test_facts_of_a_group_are_those_of_its_first_run_and_means_of_what_is_measured() -> None:
    runs = (entry("a", 0, parameters=3, training_seconds=100), entry("b", 1, parameters=4, training_seconds=200))
    facts = Group("x", runs).facts
    assert (facts["parameters"], facts["training_seconds"], facts["seed"]) == (3, 150.0, 0)


def test_seeds_come_before_songs() -> None:
    # Medians over songs first would give (2 + 2) / 2 = 2 here; the mean over seeds first gives median(1, 5, 6) = 5.
    scores = {"a": (0.0, 2.0, 9.0), "b": (2.0, 8.0, 3.0)}
    groups = [Group("x", (entry("a", 0), entry("b", 1)))]
    rows = [
        ScoreRow(run, f"song {song}", "test", "drums", "sdr_bsseval", value)
        for run, values in scores.items()
        for song, value in enumerate(values)
    ]
    pooled = pool_scores([*rows, ScoreRow("c", "song 0", "test", "drums", "sdr_bsseval", 99.0)], groups)
    assert {(row.system, row.value) for row in pooled} == {("x", 1.0), ("x", 5.0), ("x", 6.0)}
    assert song_scores(pooled, "sdr_bsseval")["x"]["song 1"] == {"drums": 5.0, "mean": 5.0}


def test_undefined_scores_enter_no_mean() -> None:
    groups = [Group("x", (entry("a", 0), entry("b", 1)))]
    rows = [ScoreRow(run, "s", "test", "bass", "sdr", value) for run, value in (("a", np.nan), ("b", 3.0))]
    assert pool_scores(rows, groups)[0].value == 3.0
    undefined = pool_scores([row._replace(value=np.nan) for row in rows], groups)
    assert np.isnan(undefined[0].value)
    assert song_scores(undefined, "sdr") == {}


@pytest.mark.parametrize("metric", METRICS)
def test_scores_of_a_page_are_means_over_seeds_by_hand(seeded: Path, metric: str) -> None:
    results, rows = read_results(seeded), read_scores(seeded / "scores.csv")
    assert [(net.name, net.seeds, net.first_run) for net in results.nets] == [
        ("unet", 3, "evidence-unet-0"),
        ("vit", 3, "evidence-vit-0"),
    ]
    assert results.seeds == 3
    for net in results.nets:
        for stem in STEMS:
            table = np.array(
                [
                    [row.value for row in rows if (row.system, row.stem, row.metric) == (run, stem, metric)]
                    for run in net.runs
                ]
            )
            by_hand = METRICS[metric].over_songs(table.mean(axis=0))
            assert results.score(metric, net.name, stem) == pytest.approx(float(by_hand), abs=1e-9)


def test_difference_is_paired_over_songs_and_seeds(seeded: Path) -> None:
    results = read_results(seeded)
    unet, vit = results.nets
    difference = results.difference("sdr")
    assert difference is not None
    assert difference.seeds == 3
    gains = [
        results.run_scores["sdr"][b]["mean"] - results.run_scores["sdr"][a]["mean"]
        for a, b in zip(unet.runs, vit.runs, strict=True)
    ]
    assert difference.difference_db == pytest.approx(np.mean(gains), abs=1e-4)


def test_only_seeds_that_both_have_are_paired() -> None:
    first, second = [entry("a0", 0), entry("a1", 1), entry("a2", 2)], [entry("b2", 2), entry("b0", 0)]
    assert pairs_of_seeds(first, second) == (["a0", "a2"], ["b0", "b2"])
    assert pairs_of_seeds(first[:2], second) == (["a0", "a1"], ["b2", "b0"])


def test_no_single_seed_stands_for_its_net(seeded: Path, seeded_page: str) -> None:
    results = read_results(seeded)
    text = re.sub(r"<table>\s*<caption><b>Seed by seed.*?</table>", "", seeded_page, flags=re.DOTALL)
    assert text != seeded_page
    text = text[: text.index('<section id="spectra"')]  # from here on numbers are distances of masks
    text = re.sub(r"<(svg|style|script).*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL)
    for net in results.nets:
        assert f"{net.label} {decibels(results.score('sdr', net.name))} dB" in text.replace("\u00a0", " ")
        for run in net.runs:
            single = decibels(results.run_scores["sdr"][run]["mean"])
            assert not re.search(rf"(?<![\d.]){single}(?!\d)", text), run
    markdown = (seeded / "table.md").read_text(encoding="utf-8")
    assert "evidence-unet" not in markdown
    assert "Every net was trained with 3 seeds" in text


def test_seeds_are_told_where_a_sweep_says_no_group(seeded: Path, tmp_path: Path) -> None:
    for name in ("scores.csv", "seconds.csv"):
        (tmp_path / name).write_bytes((seeded / name).read_bytes())
    facts = json.loads((seeded / "results.json").read_text())
    for system in facts["systems"]:
        system.pop("group", None)
        if system["kind"] == "net":
            system["config"]["training"] = {"seed": system["seed"]}
    (tmp_path / "results.json").write_text(json.dumps(facts))
    swept, grouped = read_results(tmp_path), read_results(seeded)
    assert [net.runs for net in swept.nets] == [net.runs for net in grouped.nets]
    assert report.summary(tmp_path).headline == report.summary(seeded).headline


def test_band_is_the_mean_and_the_range_of_the_steps_that_all_have() -> None:
    steps = np.arange(1.0, 6.0)
    first = History(steps, 10 * steps, steps, np.array([np.nan, 2, np.nan, 4, np.nan]))
    second = History(steps[:4], 20 * steps[:4], steps[:4] + 2, np.array([np.nan, 6, np.nan, 4]))
    drawn = band([first, second], "valid_sdr", "seconds")
    assert drawn.x.tolist() == [30, 60]
    assert (drawn.mean.tolist(), drawn.low.tolist(), drawn.high.tolist()) == ([4, 4], [2, 4], [6, 4])
    assert band([first, second], "loss", "step").mean.tolist() == [2, 3, 4, 5]
