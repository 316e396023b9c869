"""Why a GPU is not used, in one sentence each."""

import sys
from pathlib import Path

import pytest

from demix.doctor import diagnose, explain

CARD = "GPU 0: NVIDIA GeForce GTX 1050 Ti (UUID: GPU-0)"


@pytest.mark.parametrize(
    ("gpus", "trouble", "devices", "environment", "says"),
    [
        ([], "", ["cpu"], {}, []),
        ([CARD], "", ["cuda", "cpu"], {}, []),
        ([CARD], "", ["cpu"], {}, ["onnxruntime-gpu"]),
        ([CARD], "", ["cuda", "cpu"], {"CUDA_VISIBLE_DEVICES": ""}, ["CUDA_VISIBLE_DEVICES"]),
        ([], "nvidia-smi fails (no driver)", ["cpu"], {}, ["nvidia-smi fails"]),
    ],
)
def test_what_stands_between_a_gpu_and_its_use(
    gpus: list[str], trouble: str, devices: list[str], environment: dict[str, str], says: list[str]
) -> None:
    remarks = explain(gpus, trouble, devices, environment)
    assert len(remarks) == len(says)
    for remark, words in zip(remarks, says, strict=True):
        assert words in remark


@pytest.mark.skipif(sys.platform == "win32", reason="writes a shell script")
@pytest.mark.parametrize("status", [0, 9])
def test_the_driver_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{CARD}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = diagnose()
    assert found.used in found.devices
    if status:
        assert any(CARD in remark and "fails" in remark for remark in found.remarks)
    else:
        assert found.gpus == [CARD]
