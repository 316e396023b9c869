"""A song that nobody wants any more: its process is gone within two seconds, and so are its files."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GONE_SECONDS = 2.0
Note = Callable[[str, object], None]
Ended = Callable[..., list[dict[str, Any]]]
Middle = Callable[[Any, str], None]


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_end_while_running(
    how: str, fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended, middle: Middle, note: Note
) -> None:
    server = fleet.serve()
    unwanted = server.create(long_song)
    wanted = server.create(short_songs[0])
    middle(server, unwanted)
    (holder,) = server.at_work()
    url = f"/api/v1/separations/{unwanted}"
    started = time.monotonic()
    answer = server.http.post(f"{url}/cancel") if how == "cancel" else server.http.delete(url)
    answer.raise_for_status()
    fleet.wait("the end of its process", lambda: holder not in server.members(), GONE_SECONDS)
    note("its process gone after", f"{time.monotonic() - started:.2f} s")
    if how == "cancel":
        assert server.job(unwanted)["status"] == "cancelled"
    else:
        assert server.http.get(url).status_code == 404
    assert [job["status"] for job in ended(server, [wanted])] == ["done"], "the next song is not harmed"
    fleet.wait("the end of its files", lambda: not server.temp_files(), GONE_SECONDS)
    assert not [path for path in (server.data / "files" / unwanted).rglob("*") if path.is_file()]


def test_end_while_waiting(fleet: Any, long_song: Path, short_songs: list[Path], ended: Ended) -> None:
    server = fleet.serve()
    ids = [server.create(each) for each in (long_song, *short_songs[:3])]
    server.http.post(f"/api/v1/separations/{ids[1]}/cancel").raise_for_status()
    server.http.delete(f"/api/v1/separations/{ids[2]}").raise_for_status()
    assert [job["status"] for job in ended(server, [ids[0], ids[1], ids[3]])] == ["done", "cancelled", "done"]
    assert not server.temp_files()
    assert {path.name for path in (server.data / "files").iterdir()} == {ids[0], ids[3]}
