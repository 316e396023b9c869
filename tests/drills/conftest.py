"""Drills: a real server under load, and what becomes of songs when parts of it are killed. Run by `make drills`.

The figures that they find are printed at the end, and written to the file that DEMIX_DRILLS_OUT names.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demix.api.job_table import JobTable


def _load_cluster() -> Any:
    path = Path(__file__).parents[1] / "cluster" / "conftest.py"
    spec = importlib.util.spec_from_file_location("demix_cluster_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_cluster = _load_cluster()
fleet, shared_fleet, excerpt = _cluster.fleet, _cluster.shared_fleet, _cluster.excerpt
needs_redis = _cluster.needs_redis
start_postgres, postgres_port, postgres_url = _cluster.start_postgres, _cluster.postgres_port, _cluster.postgres_url

NAMES = ("lithium", "potassium", "rubidium", "caesium", "francium", "hydrogen", "sodium")
ENDED = ("done", "failed", "cancelled")
STEMS = ("vocals", "drums", "bass", "other")
_ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


@pytest.fixture(autouse=True, scope="session")
def _needs_linux() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("drills find processes in /proc: needs Linux")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Give a function that puts a figure into the table at the end."""
    drill = request.node.name.removeprefix("test_").replace("_", " ")
    rows = request.config.stash.setdefault(_ROWS, [])
    return lambda what, value: rows.append((drill, what, str(value)))


@pytest.fixture(scope="session")
def long_song(excerpt: Callable[..., Path]) -> Path:
    """Give three minutes of real music, so that there is a middle in which things can break."""
    return excerpt(*NAMES[:6], seconds=30, start=10)


@pytest.fixture(scope="session")
def short_songs(excerpt: Callable[..., Path]) -> list[Path]:
    """Give five seconds of every song."""
    return [excerpt(name, seconds=5, suffix=".mp3") for name in NAMES]


@pytest.fixture
def jobs_of() -> Callable[[Any], JobTable]:
    """Give a function that opens the job table of a server in this process."""
    return lambda server: JobTable.in_folder(server.data)


@pytest.fixture
def middle(fleet: Any) -> Callable[[Any, str], None]:
    """Give a function that waits until a separation is well under way."""

    def wait(server: Any, job_id: str) -> None:
        fleet.wait(f"the middle of {job_id}", lambda: 0.15 < _running(server, job_id) < 0.85)

    def _running(server: Any, job_id: str) -> float:
        job = server.job(job_id)
        assert job["status"] in ("queued", "running"), f"it is {job['status']} already: the song is too short"
        return float(job["progress"])

    return wait


@pytest.fixture
def ended(fleet: Any) -> Callable[..., list[dict[str, Any]]]:
    """Give a function that waits for the end of separations, and sees that nothing of the work is left behind.

    One that is done has all its stems; one that has failed says why and has no files.
    """

    def wait(server: Any, ids: list[str], seconds: float = 120.0) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}

        def all_ended() -> bool:
            found.update({each: server.job(each) for each in ids if each not in found or not _is_over(found[each])})
            return all(_is_over(job) for job in found.values())

        fleet.wait(f"the end of {len(ids)} separations", all_ended, seconds)
        for job in found.values():
            urls = [f"/api/v1/separations/{job['id']}/systems/unet/stems/{stem}?format=flac" for stem in STEMS]
            codes = {server.http.head(url).status_code for url in urls}
            assert codes == ({200} if job["status"] == "done" else {409}), job
            assert bool(job["error"]) == (job["status"] == "failed"), job
        return list(found.values())

    return wait


def _is_over(job: dict[str, Any]) -> bool:
    return job["status"] in ENDED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what the drills found."""
    rows = [("drill", "what", "found"), ("---", "---", "---"), *config.stash.get(_ROWS, [])]
    if len(rows) == 2:
        return
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    terminalreporter.write_line(text)
    if target := os.environ.get("DEMIX_DRILLS_OUT"):
        Path(target).write_text(text + "\n")
