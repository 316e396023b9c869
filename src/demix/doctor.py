"""What is installed, what it can run on, and why a GPU that is there is not used."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demix.provenance import installed_version, machine

PACKAGES = ("demix-lab", "onnxruntime", "onnxruntime-gpu", "numpy", "scipy", "av", "soundfile", "soxr", "torch")
NVIDIA_SECONDS = 20  # a driver in trouble may never answer


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Args:
        machine: processor, cores, system.
        versions: package -> version, `not installed` where it is not.
        devices: what the runtime can run nets on, the best first.
        used: the device that `auto` takes.
        gpus: NVIDIA GPUs as the driver names them.
        remarks: what stands between a GPU and its use, one sentence each.
    """

    machine: str
    versions: dict[str, str]
    devices: list[str]
    used: str
    gpus: list[str]
    remarks: list[str]


def diagnose() -> Diagnosis:
    """Look at this machine and this installation."""
    from demix.onnx_model import available_devices, pick_device

    facts = machine()
    devices = available_devices()
    gpus, trouble = _nvidia_gpus()
    remarks = explain(gpus, trouble, devices, os.environ)
    used = pick_device()
    if used == "cuda" and (reason := _why_cuda_does_not_start()):
        used = "cpu"
        remarks.append(reason)
    if "coreml" in devices:
        remarks.append("CoreML is there but has not been tried with these nets; --device coreml uses it.")
    return Diagnosis(
        machine=f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}",
        versions={name: installed_version(name) or "not installed" for name in PACKAGES},
        devices=devices,
        used=used,
        gpus=gpus,
        remarks=remarks,
    )


def explain(gpus: Sequence[str], trouble: str, devices: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Say why NVIDIA GPUs are not used.

    Args:
        gpus: those that the driver lists.
        trouble: what was wrong when the driver was asked, empty if nothing.
        devices: what the runtime knows.
        environment: the environment variables.
    """
    remarks = [trouble] if trouble else []
    if gpus and "cuda" not in devices:
        remarks.append(
            "A GPU is there but unused: this build of ONNX Runtime is for CPUs only. "
            "To use it: pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'."
        )
    if gpus and environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        remarks.append("CUDA_VISIBLE_DEVICES hides every GPU from programs; unset it to use them.")
    return remarks


def _nvidia_gpus() -> tuple[list[str], str]:
    """Ask the driver for its GPUs; return them and what was wrong."""
    nodes = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    program = shutil.which("nvidia-smi")
    if program is None:
        if not nodes:
            return [], ""
        listed = [f"/dev/{node}" for node in nodes]
        return listed, "The driver's program nvidia-smi is not on the path, so the GPU cannot be asked for its name."
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=NVIDIA_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return [], f"nvidia-smi is there but cannot be run ({error}); install the NVIDIA driver again."
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["without a word"]
        return [], f"nvidia-smi fails ({said[0]}); install the NVIDIA driver again, or restart after an update of it."
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("GPU")], ""


def _why_cuda_does_not_start() -> str:
    """Load a model on the GPU; return the reason when that fails."""
    from demix.errors import DemixError
    from demix.pretrained import load, model_paths

    model = next(iter(model_paths()), None)
    if model is None:
        return ""
    try:
        load(model, device="cuda")
    except DemixError as error:
        return (
            f"ONNX Runtime knows CUDA but cannot start it ({error}): mostly the libraries CUDA and cuDNN are missing; "
            "pip install 'onnxruntime-gpu[cuda,cudnn]' brings them."
        )
    return ""
