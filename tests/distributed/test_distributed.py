"""Two processes train as one does, and do no more than their shares."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from demix.runtime import BEST_FILE, HISTORY_FILE, RUN_FILE
from demix.training.checkpoint import LAST_FILE

Settings = Callable[..., list[str]]

# Trains twice, the batches whole and in pieces, and counts what the processes send each other.
COUNT = """
import json, sys
from collections import Counter
from pathlib import Path
from torch.profiler import ProfilerActivity, profile
from demix.config import load_config
from demix.data.library import open_prepared
from demix.training.distributed import joined
from demix.training.loop import train
from demix.training.meeting import meeting

def main():
    options = sys.argv[4::2]
    seen, sent = [], {}
    with meeting() as met, joined(met, device="cpu") as ranks:
        listen = lambda event: seen.append(event.status)
        tracks = ranks.in_turn(lambda: open_prepared(load_config(None, options).data.dataset, on_event=listen))
        for piece in (0, 1):
            settings = load_config(None, [*options, f"speed.micro_batch={piece}"])
            with profile(activities=[ProfilerActivity.CPU]) as spy:
                train(settings, Path(f"piece-{piece}"), tracks=tracks, ranks=ranks)
            sent[piece] = Counter(event.name for event in spy.events() if event.name.startswith("gloo:"))
    threads = [thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm")]
    print(json.dumps({"seen": seen, "sent": sent, "threads": threads}))

if __name__ == "__main__":  # processes that prepare songs look in here again
    main()
"""


def read_history(run: Path) -> list[list[float]]:
    """Return a history's rows without the seconds; what was not measured is 0."""
    with (run / HISTORY_FILE).open(newline="") as file:
        return [[float(value or 0) for name, value in row.items() if name != "seconds"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("net", ["unet", "vit"])
@pytest.mark.parametrize("file", [LAST_FILE, BEST_FILE])
def test_two_processes_end_with_the_weights_of_one(net: str, file: str, pairs: dict, alone: dict[str, Path]) -> None:
    """After 20 steps; in the last checkpoint also the averaged weights and the optimiser's moments."""
    one, two = load_file(alone[net] / file), load_file(pairs[net].run / file)
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-5, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("net", ["unet", "vit"])
def test_two_processes_write_the_history_of_one(net: str, pairs: dict, alone: dict[str, Path]) -> None:
    one, two = read_history(alone[net]), read_history(pairs[net].run)
    assert len(one) == len(two) == 20
    for row, other in zip(one, two, strict=True):
        assert row == pytest.approx(other, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("net", ["unet", "vit"])
def test_one_process_writes_and_speaks(net: str, pairs: dict, alone: dict[str, Path]) -> None:
    job = pairs[net]
    assert sorted(path.name for path in job.run.iterdir()) == sorted(path.name for path in alone[net].iterdir())
    assert json.loads((job.run / RUN_FILE).read_text())["processes"] == 2
    said, shown = job.printed("stdout"), job.printed("stderr")
    assert (said[1], shown[1]) == ([], [])
    assert len(said[0]) == 1
    assert said[0][0].startswith(f"checkpoints/{net}: 20 steps, best validation SDR ")
    assert [line.split()[:2] for line in shown[0]] == [["prepare", "songs"], ["train", net]]


@pytest.fixture(scope="module")
def counted(launch: Callable, settings_of: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Return what either process prepared and sent."""
    folder = tmp_path_factory.mktemp("count")
    (folder / "count.py").write_text(COUNT)
    job = launch(folder, "count", settings_of("unet", "data.batch_size=4", "training.steps=10"), program=("count.py",))
    assert job.end() == 0, (job.torchrun_log(), job.printed("stderr"))
    said = job.printed("stdout")
    return [json.loads(said[rank][-1]) for rank in (0, 1)]


def test_gradients_are_exchanged_once_a_step_however_many_pieces_it_has(counted: list[dict]) -> None:
    """Two pieces in each process: exchanged after every piece it would be 20 times."""
    for rank in counted:
        whole, pieces = rank["sent"]["0"], rank["sent"]["1"]
        assert whole["gloo:all_reduce"] == pieces["gloo:all_reduce"] == 10
        assert whole.get("gloo:broadcast", 0) == pieces.get("gloo:broadcast", 0) < 10  # at the start, not every step


def test_songs_are_prepared_by_one_process_and_found_by_the_other(counted: list[dict]) -> None:
    assert counted[0]["seen"] == ["prepared"] * 3
    assert counted[1]["seen"] == ["skipped"] * 3


def test_no_thread_of_the_group_is_left_when_python_ends(counted: list[dict]) -> None:
    """One that is, may abort the process after all is done, which torchrun takes for a failure."""
    for rank in counted:
        assert not [name for name in rank["threads"] if "gloo" in name]
