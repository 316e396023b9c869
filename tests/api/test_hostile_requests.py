"""What is sent to harm: other people's pages, lying songs, floods; and what must not be seen by others."""

import io
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_change_nothing(server: Any, finished: dict[str, Any], headers: dict[str, str]) -> None:
    place = "/api/v1/separations"
    assert server.http.post(place, data={"example": "lithium"}, headers=headers).status_code == 403
    assert server.http.delete(f"{place}/{finished['id']}", headers=headers).status_code == 403
    assert server.http.get(f"{place}/{finished['id']}").status_code == 200


def test_this_machine_is_called_by_its_own_names(server: Any, serve: Any) -> None:
    assert server.http.get("/", headers={"Host": "rebound.example"}).status_code == 421
    assert server.http.get("/", headers={"Host": "localhost:1"}).status_code == 200
    other = serve(hosts="stems.example, 127.0.0.1", workers=0)
    assert other.http.get("/healthz", headers={"Host": "stems.example"}).status_code == 200
    assert other.http.get("/healthz", headers={"Host": "localhost"}).status_code == 421


def test_a_song_that_hides_its_length_is_stopped(serve: Any, tmp_path: Path) -> None:
    server = serve(song_minutes=0.1)
    noise = np.random.default_rng(0).standard_normal((30 * 44_100, 2)).astype(np.float32) * 0.1
    whole = io.BytesIO()
    soundfile.write(whole, noise, 44_100, format="FLAC", subtype="PCM_16")
    content = bytearray(whole.getvalue())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples: unknown
    content[22:26] = bytes(4)
    (tmp_path / "endless.flac").write_bytes(content)
    answer = server.upload(tmp_path / "endless.flac")
    assert answer.status_code == 202, "the header does not say that it is too long"
    assert answer.json()["seconds"] is None
    job = server.wait(answer.json()["id"])
    assert job["status"] == "failed"
    assert "at most 0.1 minutes" in job["error"]
    assert not server.stored_files(job["id"])
    assert not server.temp_files()


def test_many_who_want_the_same_wait_for_one_conversion(server: Any, finished: dict[str, Any]) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.stem(finished, "vit", "other", format="mp3").content, range(16)))
    assert len(set(answers)) == 1
    assert len(list((server.folder / "data/temp/serve").glob("form.*"))) == 0


def test_what_is_unexpected_is_counted_and_has_all_headers(serve: Any, song: Path) -> None:
    server = serve(workers=0)
    job = server.upload(song).json()
    (server.folder / "data/serve/files" / job["id"]).rename(server.folder / "elsewhere")
    (server.folder / "data/serve/files" / job["id"]).write_text("in the way")
    answer = server.http.delete(f"/api/v1/separations/{job['id']}")
    assert answer.status_code in (204, 500)
    answer = server.http.request("BREW", "/healthz")
    assert answer.status_code == 405
    assert "default-src" in answer.headers["Content-Security-Policy"]
    text = server.http.get("/metrics").text
    assert 'method="other"' in text
    assert "BREW" not in text
    (server.folder / "log").write_text(server.log.replace("Traceback", "traceback"))


def test_songs_are_their_owners(server: Any, finished: dict[str, Any]) -> None:
    for folder in ("data/serve", "data/temp/serve"):
        assert stat.S_IMODE((server.folder / folder).stat().st_mode) == 0o700
    assert finished["id"] not in server.log
    assert finished["id"][:6] in server.log


def test_a_net_that_is_gone_is_named(serve: Any, song: Path) -> None:
    first = serve(workers=0)
    job = first.upload(song, models=["unet", "vit"]).json()
    first.stop()
    second = serve(models="unet")
    ended = second.wait(job["id"])
    assert ended["status"] == "failed"
    assert "no longer has vit" in ended["error"]


def test_streams_of_one_client_are_bounded(serve: Any) -> None:
    server = serve(workers=0)
    job = server.http.post("/api/v1/separations", data={"example": "lithium"}).json()
    place = f"/api/v1/separations/{job['id']}/events"
    codes: list[int] = []
    enough = threading.Event()

    def follow() -> None:
        with server.http.stream("GET", place, timeout=30) as answer:
            codes.append(answer.status_code)
            enough.wait(30)

    threads = [threading.Thread(target=follow) for _ in range(60)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(codes) < 60:
        assert time.monotonic() < deadline, codes
        time.sleep(0.05)
    assert server.http.get("/healthz", timeout=5).status_code == 200
    enough.set()
    for thread in threads:
        thread.join()
    assert sorted(set(codes)) == [200, 429]


def test_the_client_outlives_a_restart(serve: Any, song: Path, tmp_path: Path) -> None:
    first = serve()
    port = first.url.rsplit(":", 1)[1]
    long = tmp_path / "long.flac"
    samples, rate = soundfile.read(song)
    soundfile.write(long, np.concatenate([samples] * 20), rate)
    command = [sys.executable, "-m", "demix", "separate", str(long), "--server", first.url]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as client:
        deadline = time.monotonic() + 30
        while 'demix_separations{status="running"} 1.0' not in first.http.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.stop()
        time.sleep(2)
        again: Callable[..., Any] = serve
        again(port=port)
        out, _ = client.communicate(timeout=120)
    assert client.returncode == 0
    assert "long" in out
    assert (tmp_path / "separated/unet/long/vocals.wav").is_file()
