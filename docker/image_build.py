"""Build the Dockerfile without Docker and without a registry of images: what `image_test.py` then runs.

mmdebstrap makes a stand-in for the official Python image out of Debian's packages, buildah builds on it.
"""

import ast
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "docker/Dockerfile"
KEPT = Path("/var/cache/demix-image-test")  # base and layers: a second run builds only what has changed
IMAGE = "localhost/demix:image-test"
BASE_DAYS = 7  # after that, Debian may have repaired something
TOOLS = {  # program: Debian's package
    "buildah": "buildah",
    "catatonit": "catatonit",
    "crun": "crun",
    "mmdebstrap": "mmdebstrap",
    "podman": "podman",
}
PODMAN = ("--cgroup-manager=cgroupfs", "--events-backend=none")  # without systemd
INSTALL = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends")
# As Debian's slim images, and without Perl, which `usrmerge` brings and the official image has not.
SLIM = (
    "--include=ca-certificates,python3,python3-venv,usr-is-merged",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")),
    '--customize-hook=chroot "$1" apt-get --yes --quiet purge usrmerge perl perl-modules-5.36',
)


class ImageError(Exception):
    """Something is not as it has to be."""


def say(line: str) -> None:
    """Print a line now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(*command: str | Path) -> str:
    """Run a command and return what it prints.

    Raises:
        ImageError: when it fails, with all that it said.
    """
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode:
        raise ImageError(
            f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
        )
    return done.stdout


class Engine:
    """buildah and podman with a storage of their own."""

    def __init__(self) -> None:
        KEPT.mkdir(mode=0o700, exist_ok=True)
        self._lock = (KEPT / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ImageError(
                f"expected to be alone in {KEPT}, but another image-test runs; wait for its end"
            ) from error
        for state in ("run", "overlay/libpod", "overlay/volumes", "vfs/libpod", "vfs/volumes"):
            shutil.rmtree(KEPT / state, ignore_errors=True)  # of a run that was broken off
        self._storage = _storage("overlay")
        try:  # quicker and smaller, but not every sandbox lets it be mounted
            container = self.buildah("from", "scratch").strip()
            self.buildah("mount", container)
            self.buildah("rm", container)
        except ImageError:
            self._storage = _storage("vfs")

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah."""
        return run("buildah", *self._storage, *arguments)

    def podman(self, *arguments: str) -> str:
        """Run podman."""
        return run("podman", *self._storage, *PODMAN, *arguments)

    def show_logs(self, name: str) -> None:
        """Print what a container has said."""
        subprocess.run(["podman", *self._storage, *PODMAN, "logs", name], check=False)


def _storage(driver: str) -> tuple[str, ...]:
    return f"--storage-driver={driver}", f"--root={KEPT / driver}", f"--runroot={KEPT / 'run'}"


def install_tools() -> None:
    """Install what is missing.

    Raises:
        ImageError: where that cannot be done, with what to do.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ImageError("expected root on Linux, who alone can make a root file system; run `sudo make image-test`")
    missing = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ImageError(f"expected {', '.join(missing)}, and there is no apt-get to install them; do so by hand")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "update")
    run(*INSTALL, *missing)


def host_mounts(folder: Path) -> list[str]:
    """Return mounts that let pip in the build find packages as pip on this machine does; the image keeps none of it.

    Args:
        folder: where to write a pip.conf.
    """
    options: dict[str, dict[str, str]] = {}
    lines = run(sys.executable, "-m", "pip", "config", "list").splitlines()
    for line in sorted(lines, key=lambda each: each.startswith(":env:")):  # the environment has the last word
        name, value = line.split("=", 1)
        section, key = name.split(".", 1)
        options.setdefault("global" if section == ":env:" else section, {})[key] = ast.literal_eval(value)
    paths = {Path("/etc/ssl/certs")}
    for word in " ".join(value for section in options.values() for value in section.values()).split():
        if word.startswith("file:"):
            paths.add(Path(unquote(urlsplit(word).path)).parent)  # an index, whose links lead to its neighbours
        elif word.startswith("/") and Path(word).exists():
            paths.add(Path(word))
    sections = (
        f"[{section}]\n" + "".join(f"{key} = {' '.join(value.split())}\n" for key, value in values.items())
        for section, values in options.items()
    )
    (folder / "pip.conf").write_text("".join(sections), encoding="utf-8")
    return [f"{folder / 'pip.conf'}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in sorted(paths))]


def build(engine: Engine, mounts: list[str]) -> None:
    """Build the Dockerfile as it is, as `IMAGE`."""
    _build_base(engine)
    say("building the image; the first time that takes minutes")
    started = time.monotonic()
    how = ("--isolation=chroot", "--pull-never", "--layers", "--format=docker")  # OCI's format has no health check
    volumes = (f"--volume={mount}" for mount in mounts)
    engine.buildah("bud", *how, *volumes, f"--tag={IMAGE}", f"--file={DOCKERFILE}", ROOT)
    say(f"  built in {time.monotonic() - started:.0f} s")


def _build_base(engine: Engine) -> None:
    """Make the stand-in for the official Python image and give it that image's name."""
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if default is None:
        raise ImageError(f"{DOCKERFILE}: expected ARG PYTHON_IMAGE=..., found none")
    name, suite = default[1], default[1].rsplit("-", 1)[1]
    tar = KEPT / f"base-{suite}.tar"
    if not tar.exists() or time.time() - tar.stat().st_mtime > BASE_DAYS * 24 * 3600:
        say(f"making {name} of Debian's packages; that takes a minute")
        made = tar.with_suffix(".new.tar")
        run("mmdebstrap", "--quiet", "--variant=minbase", *SLIM, *_apt_checks(), suite, made)
        made.replace(tar)
        engine.buildah("rmi", "--all", "--force")  # what was built on the one before
    elif name in engine.buildah("images", "--format={{.Name}}:{{.Tag}}").split():
        return
    container = engine.buildah("from", "scratch").strip()
    engine.buildah("add", "--quiet", container, tar, "/")
    engine.buildah("commit", "--quiet", "--rm", container, name)


def _apt_checks() -> list[str]:
    """Return this machine's settings for copies of Debian's archive that are older than they should be."""
    wanted = ("Acquire::Check-Valid-Until ", "Acquire::Check-Date ")
    return [
        f"--aptopt={line.rstrip(';')}" for line in run("apt-config", "dump").splitlines() if line.startswith(wanted)
    ]
