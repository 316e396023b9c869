"""Rows of scores: what they say, how they are condensed, and that files keep them."""

from pathlib import Path

import numpy as np
import pytest

from demix.config import STEMS
from demix.errors import DemixError
from demix.evaluation.scores import (
    SILENT_LEVEL,
    ScoreRow,
    SecondRow,
    read_scores,
    read_seconds,
    score_track,
    summarise,
    write_scores,
    write_seconds,
)
from demix.metrics import METRICS, Energies, sdr, sdr_bsseval

RATE = 1000
Rows = tuple[list[ScoreRow], list[SecondRow]]


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Four stems of 3.5 seconds, the bass silent throughout, and estimates of them."""
    rng = np.random.default_rng(0)
    references = rng.normal(size=(4, 2, 3500)).astype(np.float32)
    estimates = references + 0.5 * rng.normal(size=references.shape).astype(np.float32)
    references[2], estimates[2] = 0, 0.1
    return references, estimates


@pytest.fixture
def rows(pair: tuple[np.ndarray, np.ndarray]) -> Rows:
    return score_track(*pair, system="unet", track="a, b", split="test", sample_rate=RATE)


def value(rows: list[ScoreRow], stem: str, metric: str) -> float:
    (found,) = (row.value for row in rows if (row.stem, row.metric) == (stem, metric))
    return found


def row(system: str, track: str, stem: str, score: float, metric: str = "sdr") -> ScoreRow:
    return ScoreRow(system, track, "test", stem, metric, score)


# ---- scoring ----


def test_scores_are_the_metrics(rows: Rows, pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, _ = rows
    for metric, expected in (("sdr", sdr(*pair)), ("sdr_bsseval", sdr_bsseval(*pair, sample_rate=RATE))):
        assert [value(scores, stem, metric) for stem in STEMS] == pytest.approx(list(expected), nan_ok=True)
    assert {(row.system, row.track, row.split) for row in scores} == {("unet", "a, b", "test")}


def test_a_silent_stem_is_listed_with_its_estimates_level_only(rows: Rows) -> None:
    scores, seconds = rows
    assert [row.stem for row in scores if row.metric == SILENT_LEVEL] == ["bass"]
    assert value(scores, "bass", SILENT_LEVEL) == pytest.approx(-20, abs=1e-4)
    assert all(np.isnan(value(scores, "bass", metric)) for metric in METRICS)
    assert not any(row.counted for row in seconds if row.stem == "bass")
    assert any(row.counted for row in seconds)


def test_the_level_of_a_silent_estimate_of_silence_is_finite(pair: tuple[np.ndarray, np.ndarray]) -> None:
    references, estimates = pair
    estimates[2] = 0
    scores, _ = score_track(references, estimates, system="s", track="t", sample_rate=RATE)
    assert value(scores, "bass", SILENT_LEVEL) == pytest.approx(-120)


def test_seconds_hold_the_whole_song(rows: Rows) -> None:
    _, seconds = rows
    drums = [row for row in seconds if row.stem == "drums"]
    assert [row.second for row in drums] == [0, 1, 2, 3]
    assert [row.samples for row in drums] == [1000, 1000, 1000, 500]
    assert [row.counted for row in drums] == [True, True, True, False]


def test_every_metric_can_be_computed_again_from_the_file_of_seconds(rows: Rows, tmp_path: Path) -> None:
    scores, seconds = rows
    write_seconds(tmp_path / "seconds.csv", seconds)
    read = read_seconds(tmp_path / "seconds.csv")
    song = Energies(
        *(
            np.array([[getattr(row, field) for row in read if row.stem == stem] for stem in STEMS])
            for field in ("reference_energy", "error_energy", "counted")
        )
    )
    for name, metric in METRICS.items():
        expected = [value(scores, stem, name) for stem in STEMS]
        np.testing.assert_allclose(metric.score(song), expected, rtol=0, atol=1e-6)


def test_what_went_wrong_names_system_and_song(pair: tuple[np.ndarray, np.ndarray]) -> None:
    references, estimates = pair
    with pytest.raises(DemixError, match=r"vit on song: estimates: .*NaN"):
        score_track(references, estimates * np.nan, system="vit", track="song", sample_rate=RATE)
    with pytest.raises(DemixError, match=r"vit on song: .*received 3 stems"):
        score_track(references[:3], estimates[:3], system="vit", track="song", sample_rate=RATE)


# ---- condensing ----


def test_sdr_is_averaged_over_songs_and_bsseval_takes_the_median() -> None:
    rows = [
        row("unet", f"song {song}", stem, score + index, metric)
        for song, score in enumerate((1.0, 2.0, 9.0))
        for index, stem in enumerate(STEMS)
        for metric in METRICS
    ]
    assert summarise(rows, "sdr") == {"unet": {"vocals": 4, "drums": 5, "bass": 6, "other": 7, "mean": 5.5}}
    medians = {"vocals": 2, "drums": 3, "bass": 4, "other": 5, "mean": 3.5}
    assert summarise(rows, "sdr_bsseval") == {"unet": medians}


def test_undefined_scores_enter_no_mean() -> None:
    nan = float("nan")
    rows = [row("b", "1", "vocals", 4), row("b", "2", "vocals", nan), row("b", "1", "bass", nan)]
    rows += [row("a", "1", "vocals", 1), row("b", "1", "drums", 2), row("b", "1", "bass", -90, SILENT_LEVEL)]
    summary = summarise(rows, "sdr")
    assert list(summary) == ["b", "a"]
    expected = {"vocals": 4, "drums": 2, "bass": nan, "other": nan, "mean": 3}
    assert summary["b"] == pytest.approx(expected, nan_ok=True)
    assert summary["a"]["mean"] == 1


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(DemixError, match=r"sdr, sdr_bsseval.*'sisdr'"):
        summarise([], "sisdr")


# ---- files ----


def test_scores_survive_the_file(rows: Rows, tmp_path: Path) -> None:
    scores, _ = rows
    path = tmp_path / "new" / "scores.csv"
    write_scores(path, scores)
    read = read_scores(path)
    assert [row[:5] for row in read] == [row[:5] for row in scores]
    expected = [row.value for row in scores]
    np.testing.assert_allclose([row.value for row in read], expected, rtol=0, atol=1e-6)
    lines = path.read_text().splitlines()
    assert lines[0] == "system,track,split,stem,metric,value"
    assert 'unet,"a, b",test,bass,sdr,' in lines  # undefined is an empty cell


def test_a_failed_write_leaves_the_old_file_alone(rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "seconds.csv"
    write_seconds(path, rows[1])
    before = path.read_bytes()

    def broken() -> list[SecondRow]:
        yield rows[1][0]
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_seconds(path, broken())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["seconds.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("", "expected the columns"),
        ("track,system\n", "received track,system"),
        ("system,track,split,stem,metric,value\nunet,song,test,bass,sdr\n", "row 2"),
        ("system,track,split,stem,metric,value\n\nunet,song,test,bass,sdr,1\n", "row 2"),
        ("system,track,split,stem,metric,value\nunet,song,test,bass,sdr,loud\n", "row 2.*loud"),
    ],
)
def test_a_file_that_is_no_table_of_scores_is_named(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DemixError, match=rf"scores\.csv: .*{message}"):
        read_scores(path)


def test_binary_rubbish_is_named(tmp_path: Path) -> None:
    (tmp_path / "seconds.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DemixError, match=r"seconds\.csv: cannot be read"):
        read_seconds(tmp_path / "seconds.csv")
