"""The report's small parts: pictures, curves, tables, English."""

import numpy as np
import pytest

from demix.report.history import History, smooth
from demix.report.spectra import mask_error, mel_rows
from demix.report.tables import Row, Table, to_html, to_markdown
from demix.report.words import count, decibels, duration, glue, interval, join


def test_mel_rows_keep_levels_and_order() -> None:
    assert mel_rows(np.full((300, 4), 3.0), max_hz=8_000) == pytest.approx(3.0)
    ramp = np.repeat(np.linspace(0, 1, 300)[:, None], 2, axis=1)
    assert (np.diff(mel_rows(ramp, max_hz=8_000)[:, 0]) > -1e-12).all()


@pytest.mark.parametrize("hz", [300, 1_000, 7_900])
def test_mel_rows_put_a_tone_where_the_axis_says(hz: float) -> None:
    tone = np.zeros((800, 1))
    tone[int(hz / 10)] = 1  # bins of 10 Hz
    rows = mel_rows(tone, max_hz=8_000)[:, 0]
    assert rows.argmax() == pytest.approx(len(rows) * np.log10(1 + hz / 700) / np.log10(1 + 8_000 / 700), abs=1.5)


def test_mask_error_is_weighted_by_what_sounds() -> None:
    oracle, mixture_db = np.array([[1.0, 0.0]]), np.array([[0.0, -200.0]])
    assert mask_error(oracle, oracle, mixture_db) == 0
    assert mask_error(np.array([[0.5, 1.0]]), oracle, mixture_db) == pytest.approx(0.5)


def test_history_tells_whether_the_end_was_reached() -> None:
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


def test_numbers_read_as_english() -> None:
    assert [count(1, "song"), count(3, "song")] == ["one song", "3 songs"]
    assert [join(["a"]), join(["a", "b"]), join(["a", "b", "c"]), join([])] == ["a", "a and b", "a, b and c", ""]
    assert [duration(40), duration(240), duration(258), duration(9000)] == [
        "40 seconds",
        "4 minutes",
        "4.3 minutes",
        "2.5 hours",
    ]
    assert [decibels(-0.456), decibels(0.456, signed=True), decibels(None), decibels(np.nan)] == [
        "−0.46",
        "+0.46",
        "–",
        "–",
    ]
    assert [interval(-1, 0.5), interval(np.nan, np.nan)] == ["−1.00 to +0.50", "–"]
    assert glue("0.1 to 0.3 dB of 40 %") == "0.1 to 0.3\u00a0dB of 40\u00a0%"
