"""Probing runs from end to end: the files, what they agree on, and what is refused."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from demix.config import STEMS, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.errors import DemixError
from demix.evaluation.probes.run import ProbeEvent, probe
from demix.training.loop import train

COLUMNS = {
    "context": "system,group,track,stem,fill,radius_seconds,frames,sdr_db,loss_db,low_db,high_db,change_share",
    "listening": "system,group,track,stem,fill,radius_seconds,reaches_edge",
    "field": "system,group,offset_seconds,share",
    "field_radius": "system,group,radius_seconds",
    "attention": "system,group,layer,head,mean_seconds,p90_seconds,mean_rows,entropy_share",
}


@pytest.fixture(scope="module")
def runs(
    songs_folder: Path, nano_settings: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    prepare(open_dataset(songs_folder), folder / "store")
    made = [folder / "nano-unet", folder / "nano-vit"]
    for path in made:
        settings = nano_settings(path.name[5:], f'data.dataset="{songs_folder}"', "training.steps=2")
        train(load_config(None, settings), path, tracks=open_store(folder / "store"))
    return made


@pytest.fixture(scope="module")
def events() -> list[ProbeEvent]:
    return []


@pytest.fixture(scope="module")
def probed(runs: list[Path], songs_folder: Path, events: list[ProbeEvent]) -> Path:
    songs = open_dataset(songs_folder)
    out = runs[0].parent / "results" / "nano" / "probes"
    out.mkdir(parents=True)
    (out / "bands.csv").write_text("another probe's")
    test = [song for song in songs if song.split == "test"]
    groups = {"nano-unet": "unet"}
    probe(runs, test, out, others=songs, groups=groups, frames=3, device="cpu", on_event=events.append)
    return out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_has_its_columns_and_every_net(probed: Path) -> None:
    for name, columns in COLUMNS.items():
        rows = read(probed / f"{name}.csv")
        assert ",".join(rows[0]) == columns
        systems = {"nano-vit"} if name == "attention" else {"nano-unet", "nano-vit"}
        assert {(row["system"], row["group"]) for row in rows} == {
            (system, "unet" if system == "nano-unet" else system) for system in systems
        }
    assert (probed / "bands.csv").read_text() == "another probe's"
    assert not list(probed.glob(".*"))


def test_every_stem_and_fill_has_a_curve_that_ends_with_all_context(probed: Path) -> None:
    rows = read(probed / "context.csv")
    for net in ("nano-unet", "nano-vit"):
        for fill in ("song", "silence"):
            mine = [row for row in rows if (row["system"], row["fill"]) == (net, fill)]
            assert {row["stem"] for row in mine} <= {*STEMS, "mean"}
            assert {"drums", "mean"} <= {row["stem"] for row in mine}
            drums = [row for row in mine if row["stem"] == "drums"]
            radii = [float(row["radius_seconds"]) for row in drums]
            assert radii == sorted(set(radii))
            assert radii[0] == pytest.approx(0.1)
            assert radii[-1] == pytest.approx(0.8, abs=0.025)  # songs of 2 s have room for windows of 1.6 s
            assert (float(drums[-1]["loss_db"]), float(drums[-1]["change_share"])) == (0, 0)
            assert float(drums[0]["change_share"]) > 0
            whole = float(drums[-1]["sdr_db"])
            for row in drums:
                assert float(row["sdr_db"]) + float(row["loss_db"]) == pytest.approx(whole, abs=1e-3)
                assert float(row["low_db"]) <= float(row["loss_db"]) <= float(row["high_db"])


def test_shares_add_up_and_radii_are_theirs(probed: Path) -> None:
    for row in read(probed / "field_radius.csv"):
        mine = [line for line in read(probed / "field.csv") if line["system"] == row["system"]]
        assert sum(float(line["share"]) for line in mine) == pytest.approx(1, abs=1e-3)
        radius = float(row["radius_seconds"])
        inside = sum(float(line["share"]) for line in mine if abs(float(line["offset_seconds"])) <= radius + 0.012)
        assert inside >= 0.95 - 1e-3


def test_maps_and_their_description_belong_together(probed: Path) -> None:
    facts = json.loads((probed / "attention.json").read_text())
    assert facts["track"] == "song-test"
    assert 0 <= facts["start_seconds"] < 2
    assert set(facts["systems"]) == {"nano-vit"}
    net = facts["systems"]["nano-vit"]
    with np.load(probed / "attention.npz") as arrays:
        assert set(arrays) == {f"nano-vit_{name}" for name in ("maps", "query", "layers", "spectrum_db")}
        assert arrays["nano-vit_maps"].shape[1:] == (net["rows"], net["columns"])
        assert arrays["nano-vit_layers"].shape == (2, net["rows"], net["columns"])
        frames = 1 + int(facts["seconds"] * 44_100) // net["hop_length"]
        assert arrays["nano-vit_spectrum_db"].shape[1] == frames
        assert np.isfinite(arrays["nano-vit_spectrum_db"]).all()
        assert net["columns"] == -(-frames // net["patch_frames"])


def test_events_count_up_to_the_end(probed: Path, events: list[ProbeEvent]) -> None:
    assert probed.is_dir()
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == events[-1].total == 6
    assert {event.system for event in events} == {"nano-unet", "nano-vit"}


def test_the_same_again_and_at_the_nets_own_length(
    runs: list[Path], songs_folder: Path, nano_settings: Callable[..., list[str]], tmp_path: Path
) -> None:
    songs = open_dataset(songs_folder)
    for name in ("first", "again"):
        probe(runs[:1], songs[-1:], tmp_path / name, others=songs, frames=1, radius_seconds=0.6, device="cpu")
    assert (tmp_path / "first" / "context.csv").read_bytes() == (tmp_path / "again" / "context.csv").read_bytes()
    prepare(songs, tmp_path / "store")
    settings = nano_settings("unet", "data.segment_seconds=1.2", "training.steps=2")
    train(load_config(None, settings), tmp_path / "long", tracks=open_store(tmp_path / "store"))
    found = probe(
        [tmp_path / "long"], songs[-1:], tmp_path / "own", others=songs, frames=1, radius_seconds=None, device="cpu"
    )
    assert max(row.radius_seconds for row in found.context) == pytest.approx(0.6, abs=0.024)


def test_refusals_say_what_to_do(runs: list[Path], songs_folder: Path, tmp_path: Path) -> None:
    songs = open_dataset(songs_folder)
    with pytest.raises(DemixError, match="at least one song"):
        probe(runs, [], tmp_path / "out")
    with pytest.raises(DemixError, match="another song"):
        probe(runs, songs[:1], tmp_path / "out", device="cpu")
    with pytest.raises(DemixError, match="different names"):
        probe([runs[0], runs[0]], songs, tmp_path / "out")
    with pytest.raises(DemixError, match="frames: expected"):
        probe(runs, songs, tmp_path / "out", frames=0)
    for radius in (0.1, 100.0, float("nan")):
        with pytest.raises(DemixError, match="radius: expected"):
            probe(runs, songs, tmp_path / "out", radius_seconds=radius)
    with pytest.raises(DemixError, match="training segments that leave"):  # of half a second
        probe(runs, songs, tmp_path / "out", radius_seconds=None, device="cpu")
    with pytest.raises(DemixError, match=r"no run\.json"):
        probe([songs_folder], songs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def demix(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "demix", "probe", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
    )


def test_the_command_prints_how_far_nets_listen(runs: list[Path], tmp_path: Path) -> None:
    done = demix(tmp_path, *runs, "--frames", 2, "--radius", 0.6)
    assert done.returncode == 0, done.stderr
    for words in ("nano-unet", "nano-vit", "song", "silence", "drums", "gradients", "results/nano-unet/probes"):
        assert words in done.stdout
    listening = read(tmp_path / "results" / "nano-unet" / "probes" / "listening.csv")
    row = next(row for row in listening if (row["system"], row["stem"], row["fill"]) == ("nano-vit", "mean", "song"))
    mark = ">" if row["reaches_edge"] == "1" else ""
    assert f"{mark}{float(row['radius_seconds']):.2f}" in done.stdout


def test_the_command_refuses_in_one_line(runs: list[Path], tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path,), "run folder"),
        ((runs[0], "--radius", "0.01"), "radius: expected"),
        ((runs[0], "--split", "all"), "--split: expected"),
        ((runs[0], "--own-length", "--radius", "2"), "--own-length"),
    ):
        done = demix(tmp_path, *arguments)
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("demix: ")]
        assert words in line
        assert "Traceback" not in done.stderr
