"""A server that only takes songs in, and workers elsewhere, do together what `demix separate` does alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demix import audio, separate
from demix.output import Output

TITLES = ("first", "second", "third")


@pytest.mark.usefixtures("needs_redis")
def test_workers_elsewhere_make_the_stems_of_the_command(
    fleet: Any,
    redis_url: str,
    postgres_url: str,
    s3_environment: dict[str, str],
    excerpt: Callable[..., Path],
    tmp_path: Path,
) -> None:
    shared: dict[str, object] = {
        "queue_url": redis_url,
        "database_url": postgres_url,
        "storage_url": "s3://demix/cluster-test",
        "models": "unet",
        **s3_environment,
    }
    server = fleet.serve(workers=0, **shared)
    fleet.work("one", "two", **shared)
    song = excerpt("lithium", seconds=3, start=64)
    jobs = [server.create(song, title=title) for title in TITLES]
    expected = separate(song, models="unet", output=Output(tmp_path / "separated"))[0].stems
    for job in jobs:
        fleet.wait(f"job {job}", lambda job=job: server.job(job)["status"] not in ("queued", "running"))
    assert [server.job(job)["status"] for job in jobs] == ["done"] * len(jobs)
    for stem, path in expected.items():
        made, content = server.stem(jobs[0], "unet", stem)
        assert np.array_equal(made, audio.read(Path(path))[0])
        assert all(server.stem(job, "unet", stem)[0].shape == made.shape for job in jobs)
        url = f"/api/v1/separations/{jobs[0]}/systems/unet/stems/{stem}?format=flac"
        part = server.http.get(url, headers={"Range": "bytes=1000-1999"})
        assert part.status_code == 206
        assert part.content == content[1000:2000]
    server.http.delete(f"/api/v1/separations/{jobs[0]}").raise_for_status()
    assert server.http.get(f"/api/v1/separations/{jobs[0]}").status_code == 404
    assert not list(tmp_path.rglob("temp/serve/*")), "what workers had in their hands is gone"
