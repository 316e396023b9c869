"""The examples: scripts that bash can read, and that do what they say with stand-ins for SLURM's commands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

Settings = Callable[..., list[str]]
EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bash and GNU xargs")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to run examples in, with the configs that they name."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(EXAMPLES.parent / "configs", folder / "configs")
    return folder


@pytest.fixture(scope="module")
def nano(nano_settings: Settings) -> list[str]:
    """What makes both tiny nets quick to train."""
    both = set(nano_settings("unet")) & set(nano_settings("vit"))
    return [part for setting in sorted(both) for part in ("--set", setting)]


def run_example(work: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example with stand-ins for SLURM's commands: srun starts, sbatch and torchrun note their arguments."""
    slurm = work / "slurm"
    slurm.mkdir(exist_ok=True)
    note = f'printf "%s\\n" "${{0##*/}}" "$@" "" >> {shlex.quote(str(work / "noted"))}'
    bodies = {"srun": '"$@"', "sbatch": f'{note}; echo "4711;cluster"', "torchrun": note, "scontrol": "echo host-7"}
    for name, body in bodies.items():
        (slurm / name).write_text(f"#!/bin/bash\n{body}\n")
        (slurm / name).chmod(0o755)
    (work / "noted").unlink(missing_ok=True)
    path = os.pathsep.join([str(slurm), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", str(EXAMPLES / script), *arguments],
        cwd=work,
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def noted(work: Path) -> list[list[str]]:
    return [call.splitlines() for call in (work / "noted").read_text().strip().split("\n\n")]


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.iterdir()))
def test_example_is_a_bash_script_that_parses(script: str) -> None:
    assert (EXAMPLES / script).read_text().startswith("#!/bin/bash\n")
    done = subprocess.run(["bash", "-n", str(EXAMPLES / script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_local_queue_trains_a_grid(work: Path, songs_folder: Path, nano: list[str]) -> None:
    environment = {"DATA": str(songs_folder), "JOBS": "2", "CUDA_VISIBLE_DEVICES": ""}
    done = run_example(work, "local_queue.sh", "queued", *nano, **environment)
    assert done.returncode == 0, done.stderr
    for net in ("unet", "vit"):
        assert (work / "checkpoints" / f"queued-{net}-seed0" / "best.safetensors").is_file()
    assert done.stdout.endswith("next: demix evaluate checkpoints/queued-*-seed* --name queued\n")


def test_local_queue_gives_each_place_its_gpu_and_ends_with_what_failed(work: Path, songs_folder: Path) -> None:
    (work / "slurm").mkdir(exist_ok=True)
    lines = [f"echo gpu $CUDA_VISIBLE_DEVICES; sleep 0.2; bash -c 'exit {status}'" for status in (0, 3, 0)]
    listing = "\n".join(f"echo {shlex.quote(line)}" for line in lines)
    stand_in = work / "slurm" / "demix"
    stand_in.write_text(f'#!/bin/bash\n[[ $1 == data ]] && exit\n[[ " $* " == *" --list "* ]] || exit 9\n{listing}\n')
    stand_in.chmod(0o755)
    try:
        done = run_example(work, "local_queue.sh", "gpus", DATA=str(songs_folder), CUDA_VISIBLE_DEVICES="4,7")
    finally:
        stand_in.unlink()
    assert sorted(set(done.stdout.splitlines())) == ["gpu 4", "gpu 7"]
    assert len(done.stdout.splitlines()) == 3
    assert done.returncode == 123, done.stderr


def test_slurm_array_is_submitted_behind_the_job_that_decodes(work: Path, songs_folder: Path) -> None:
    done = run_example(work, "sweep.sbatch", DATA=str(songs_folder))
    assert done.returncode == 0, done.stderr
    first, second = noted(work)
    assert shlex.split(first[first.index("--wrap") + 1]) == ["demix", "data", "prepare", str(songs_folder)]
    assert "--dependency=afterok:4711" in second
    assert second[-1] == str(EXAMPLES / "sweep.sbatch")
    array = re.search(r"^#SBATCH (--array=\S+)", (EXAMPLES / "sweep.sbatch").read_text(), flags=re.MULTILINE)
    assert array is not None
    assert array[1] in second


def test_slurm_array_task_trains_its_run(work: Path, songs_folder: Path, nano: list[str]) -> None:
    environment = {"DATA": str(songs_folder), "NAME": "array", "SLURM_ARRAY_TASK_ID": "1"}
    done = run_example(work, "sweep.sbatch", "--preset", "tiny", *nano, **environment)
    assert done.returncode == 0, done.stderr
    made = [path.name for path in (work / "checkpoints").iterdir() if path.name.startswith("array-")]
    assert made == ["array-musdb18-vit-seed0"]
    assert not (work / "noted").exists()


def test_multi_node_job_is_a_torchrun_that_goes_on(work: Path) -> None:
    slurm = {"SLURM_JOB_ID": "31234", "SLURM_JOB_NODELIST": "host-[7-8]"}
    done = run_example(
        work, "multi_node.sbatch", "unet.toml", "--name", "x", **slurm, SLURM_NNODES="2", SLURM_GPUS_ON_NODE="2"
    )
    assert done.returncode == 0, done.stderr
    (call,) = noted(work)
    parsed = get_args_parser().parse_args(call[1:])
    assert (parsed.nnodes, parsed.nproc_per_node, parsed.rdzv_backend) == ("2", "2", "c10d")
    assert (parsed.rdzv_endpoint, parsed.rdzv_id) == ("host-7:21234", "31234")
    assert (parsed.module, parsed.training_script) == (True, "demix")
    assert parsed.training_script_args == ["train", "unet.toml", "--name", "x", "--resume"]
