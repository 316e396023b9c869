"""Processes that are killed, and input that does not do: all end at once, one says why, and killed ones start anew."""

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import HashStore

from demix.runtime import BEST_FILE, HISTORY_FILE, RUN_FILE
from demix.training.checkpoint import LAST_FILE
from demix.training.meeting import agree

Settings = Callable[..., list[str]]
RESTARTS = ("--max-restarts", "1")

# After a restart rank 0 comes late: the other must not take what the dead one has left for it.
LATE = """
import os, time
from demix.cli import main

if __name__ == "__main__":
    time.sleep(1.5 if os.environ["RANK"] == "0" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "1" else 0)
    main()
"""


def assert_same_run(run: Path, other: Path) -> None:
    for file in (LAST_FILE, BEST_FILE):
        one, two = load_file(run / file), load_file(other / file)
        assert one.keys() == two.keys()
        for key in one:
            assert torch.equal(one[key], two[key]), key


def test_processes_agree_on_a_new_name_whatever_the_dead_have_left() -> None:
    store = HashStore()
    agreed = []
    for late in (0, 1, 2):
        store.set("demix/name/2", "one that died before it met the others")
        with ThreadPoolExecutor() as threads:
            early = [threads.submit(agree, store, rank, 3) for rank in range(3) if rank != late]
            time.sleep(0.1)
            assert not any(name.done() for name in early if late == 0)
            names = {name.result(20) for name in [threads.submit(agree, store, late, 3), *early]}
        assert len(names) == 1
        agreed += names
    assert len(set(agreed)) == 3


def test_killed_process_is_replaced_and_the_run_goes_on(
    launch: Callable, settings_of: Settings, pairs: dict, tmp_path: Path
) -> None:
    """The one that writes is killed, in the middle, from outside; the weights are exactly those of an unharmed run."""
    (tmp_path / "late.py").write_text(LATE)
    torchrun = ("--standalone", "--nproc-per-node", "2", *RESTARTS)
    job = launch(tmp_path, "killed", settings_of("unet"), torchrun=torchrun, program=("late.py", "train"))
    job.wait_for(LAST_FILE)
    first = (job.run / HISTORY_FILE).read_text()
    os.kill(job.ranks()[0], signal.SIGKILL)
    assert job.end() == 0, (job.torchrun_log(), job.printed("stderr", attempt=1))
    assert "exitcode: -9" in job.torchrun_log()
    assert len(job.printed("stdout", attempt=1)[0]) == 1
    assert_same_run(job.run, pairs["unet"].run)
    # Steps that had been trained were not trained again: that would have taken other fractions of a second.
    assert len(first.splitlines()) > 3
    assert (job.run / HISTORY_FILE).read_text().startswith(first)


def test_process_on_another_machine_is_replaced_too(
    launch: Callable, settings_of: Settings, pairs: dict, tmp_path: Path
) -> None:
    """Two torchruns without a folder in common play the machines; restarts are counted where the process died alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting_place = f"127.0.0.1:{free.getsockname()[1]}"
    rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", meeting_place, "--rdzv-id", "two-machines")
    torchrun = ("--nnodes", "2", "--nproc-per-node", "1", *rendezvous, *RESTARTS)
    jobs = [launch(tmp_path / name, "run", settings_of("unet"), torchrun=torchrun) for name in ("one", "other")]
    while not any((job.run / LAST_FILE).exists() for job in jobs):
        assert all(job.process.poll() is None for job in jobs), [job.torchrun_log() for job in jobs]
        time.sleep(0.002)
    writer, helper = sorted(jobs, key=lambda job: min(job.ranks()))
    os.kill(helper.ranks()[1], signal.SIGKILL)
    for job in jobs:
        assert job.end() == 0, (job.torchrun_log(), job.printed("stderr", attempt=1))
    assert "exitcode: -9" in helper.torchrun_log()
    assert_same_run(writer.run, pairs["unet"].run)
    assert not (helper.folder / "checkpoints").exists()


def test_process_that_waits_for_another_ends_when_told(launch: Callable, settings_of: Settings, tmp_path: Path) -> None:
    """One hangs, so the other waits in a collective, as on GPUs it also does for one that is dead."""
    job = launch(tmp_path, "stuck", settings_of("unet", "training.steps=9999"))
    job.wait_for(LAST_FILE)
    waits, hangs = job.ranks()[0], job.ranks()[1]
    os.kill(hangs, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(waits, signal.SIGTERM)
    told = time.monotonic()
    while 0 in job.ranks():
        assert time.monotonic() - told < 20
        time.sleep(0.05)
    job.kill()


# name -> settings that are changed, and what is said of them
BAD = {
    "unknown": (["data.dataset=nosuch"], "nosuch: expected a data set"),
    "unbuilt": (["model.options.bands=0"], "model.options: unet cannot be built"),
    "misspelt": (["model.nosuch=1"], "--set: unknown key model.nosuch"),
    "small": (["data.batch_size=1"], "data.batch_size: expected at least 2, one segment for each process, received 1"),
    "unet": ([], "checkpoints/unet: holds a run already"),
    "full": ([], "last.safetensors: cannot be written (File too large)"),
    "differs": ([], "process 1 of 2: expected the settings of process 0, received others"),
}
DIFFER = """
import os, sys
sys.argv += ["--set", f"training.seed={os.environ['RANK']}"]
from demix.cli import main
main()
"""


@pytest.fixture(scope="module")
def refused(launch: Callable, settings_of: Settings, pairs: dict) -> dict:
    """Return runs that cannot be, started all at once where the songs are prepared and the run `unet` has ended."""
    folder = pairs["unet"].folder
    (folder / "differ.py").write_text(DIFFER)
    more = {
        "unet": {"torchrun": ("--standalone", "--nproc-per-node", "2", *RESTARTS)},
        "full": {"greatest_file": 40},
        "differs": {"program": ("differ.py", "train")},
    }
    before = {path.name: path.read_bytes() for path in (folder / "checkpoints" / "unet").iterdir()}
    (folder / "unet.logs").rename(folder / "unet.logs.done")
    jobs = {name: launch(folder, name, settings_of("unet", *BAD[name][0]), **more.get(name, {})) for name in BAD}
    for job in jobs.values():
        assert job.end() != 0
    after = {path.name: path.read_bytes() for path in (folder / "checkpoints" / "unet").iterdir()}
    return jobs | {"untouched": before == after}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_once_by_one_process_and_all_end(name: str, refused: dict) -> None:
    job = refused[name]
    lines = [line for rank in job.printed("stderr").values() for line in rank]
    said = [line for line in lines if not line.startswith(("prepare songs", "train full"))]
    assert len(said) == 1
    assert said[0].startswith("demix: ")
    assert BAD[name][1] in said[0]
    assert (
        "forcefully" not in job.torchrun_log()
    )  # as torchrun ends processes that do not end by themselves, after 30 s


@pytest.mark.parametrize("name", ["unknown", "unbuilt", "misspelt", "small", "differs"])
def test_what_cannot_be_leaves_nothing_behind(name: str, refused: dict) -> None:
    assert not refused[name].run.exists()


def test_full_disk_leaves_no_half_of_a_file(refused: dict) -> None:
    assert {path.name for path in refused["full"].run.iterdir()} == {RUN_FILE, HISTORY_FILE}


def test_run_that_was_refused_is_not_gone_on_with_when_torchrun_tries_again(refused: dict) -> None:
    assert refused["untouched"]
    again = refused["unet"].printed("stderr", attempt=1)
    assert again == {0: [], 1: []}
