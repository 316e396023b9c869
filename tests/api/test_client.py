"""The client: `demix separate --server` does what `demix separate` does, whatever the connection does."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demix import audio
from demix.client import Client
from demix.errors import DemixError


def demix(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demix", "separate", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def cutting_proxy(server: Any) -> Iterator[str]:
    """Stand between client and server, and cut every answer off after 200 kB."""
    host, port = server.url.removeprefix("http://").split(":")
    listening = socket.create_server(("127.0.0.1", 0))
    opened = [listening]
    threads: list[threading.Thread] = []

    def begin(function: Callable[..., None], *arguments: Any) -> None:
        threads.append(threading.Thread(target=function, args=arguments))
        threads[-1].start()

    def pump(source: socket.socket, sink: socket.socket, most: float) -> None:
        sent = 0
        with suppress(OSError):
            while sent < most and (data := source.recv(10_000)):
                sink.sendall(data)
                sent += len(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection((host, int(port)))
                opened.extend((near, far))
                begin(pump, near, far, float("inf"))
                begin(pump, far, near, 200_000)

    begin(accept)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    for each in opened:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for each in opened:
        each.close()


def test_files_are_those_of_the_command(server: Any, song: Path, tmp_path: Path) -> None:
    models = ["-n", "unet", "-n", "vit"]
    local = demix(song, *models, "-o", "local", cwd=tmp_path)
    remote = demix(song, *models, "-o", "remote", "--server", server.url, "--json", cwd=tmp_path)
    assert (local.returncode, remote.returncode) == (0, 0), remote.stderr
    names = sorted(path.relative_to(tmp_path / "local") for path in (tmp_path / "local").rglob("*.wav"))
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "remote" / name).read_bytes()
    outcomes = [json.loads(line) for line in remote.stdout.splitlines()]
    assert [(each["model"], each["status"]) for each in outcomes] == [("unet", "done"), ("vit", "done")]
    again = demix(song, *models, "-o", "remote", "--server", server.url, cwd=tmp_path)
    assert again.stdout.count("skipped") == 2


def test_the_server_keeps_nothing(server: Any, song: Path, tmp_path: Path) -> None:
    before = {path.name for path in (server.folder / "data/serve/files").iterdir()}
    assert demix(song, "--two-stems", "drums", "--flac", "--server", server.url, cwd=tmp_path).returncode == 0
    assert (tmp_path / "separated/unet/my song/no_drums.flac").is_file()
    assert {path.name for path in (server.folder / "data/serve/files").iterdir()} == before


def test_one_bad_song_does_not_stop_the_others(server: Any, song: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("no music")
    done = demix("bad.mp3", song, "nothing.mp3", "--server", server.url, "-j", 2, cwd=tmp_path)
    assert done.returncode == 2
    assert "my song" in done.stdout
    lines = sorted(done.stderr.splitlines())
    assert len(lines) == 2
    assert lines[0].startswith("demix: bad.mp3: expected audio, received something that cannot be decoded")
    assert lines[1].startswith("demix: nothing.mp3: ")
    assert not list((tmp_path / "separated").rglob(".*"))


def test_what_a_server_cannot_do_is_said(server: Any, song: Path, tmp_path: Path) -> None:
    for arguments, says in (
        (["--server", server.url, "--int24"], "expected no --int24"),
        (["--server", server.url, "-n", "mine"], "models: expected unet, vit, received 'mine'"),
        (["--server", "ftp://x"], "expected an address as http://localhost:8000"),
        (["--server", "http://127.0.0.1:9"], "no answer"),
        (["--server", f"{server.url}/results"], "/results: nothing is here"),
    ):
        done = demix(song, *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


def test_downloads_go_on_where_they_were_cut(
    cutting_proxy: str, finished: dict[str, Any], server: Any, tmp_path: Path
) -> None:
    with Client(cutting_proxy) as client:
        client.download(finished["id"], "unet", "vocals", tmp_path / "a.wav", kind="wav")
    whole = server.stem(finished, "unet", "vocals", format="wav").content
    assert len(whole) > 400_000
    assert (tmp_path / "a.wav").read_bytes() == whole


def test_a_program_can_follow(server: Any, song: Path, tmp_path: Path) -> None:
    with Client(server.url) as client:
        assert [each["name"] for each in client.models()] == ["unet", "vit"]
        job = client.create(song, models=["vit"], stems=["bass"])
        events = list(client.follow(job["id"]))
        assert events[-1].data["status"] == "done"
        client.download(job["id"], "vit", "bass", tmp_path / "bass.wav")
        assert audio.read(tmp_path / "bass.wav")[0].shape[0] == 2
        client.delete(job["id"])
        with pytest.raises(DemixError, match="found none"):
            client.status(job["id"])


def test_a_key_is_sent_and_missed(serve: Any, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from demix.api.keys import hash_key

    server = serve(workers=0, api_keys=hash_key("demix_mine"))
    with Client(server.url) as client, pytest.raises(DemixError, match="API key: expected a valid one"):
        client.create(song)
    monkeypatch.setenv("DEMIX_API_KEY", "demix_mine")
    with Client(server.url) as client:
        assert client.create(song)["status"] == "queued"


def test_who_gives_up_takes_the_song_along(serve: Any, song: Path, tmp_path: Path) -> None:
    server = serve(workers=0)
    command = [sys.executable, "-m", "demix", "separate", str(song), "--server", server.url]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as client:
        deadline = time.monotonic() + 30
        while 'demix_separations{status="queued"} 1.0' not in server.http.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)  # until the client has heard of it too, also on a busy machine
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=30)
    assert client.returncode == 130, said.decode()
    assert 'demix_separations{status="queued"} 0.0' in server.http.get("/metrics").text
    assert not list((server.folder / "data/serve/files").iterdir())
    assert np.all([not path.is_file() for path in (tmp_path / "separated").rglob("*")])
