"""What a result was made with: machine, library versions, commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_LIBRARIES = (
    "demix-lab",
    "torch",
    "onnxruntime",
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "av",
    "librosa",
    "safetensors",
)


def timestamp() -> str:
    """Return the time now in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide numbers, of those that are installed."""
    versions = {"python": platform.python_version()}
    found = {name: installed_version(name) for name in _LIBRARIES}
    return versions | {name: version for name, version in found.items() if version is not None}


def installed_version(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Return the commit of the code that runs, with `+changes` where files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        commit = _git("rev-parse", "--short=12", "HEAD", folder=here)
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", folder=here)
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def machine() -> dict[str, str | int]:
    """Return processor, number of usable cores, system and versions."""
    return {"cpu": _cpu_name(), "cores": usable_cores(), "system": platform.system(), **library_versions()}


def usable_cores() -> int:
    """Return how many processor cores this process may use, which a container may keep below the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
