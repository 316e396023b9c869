"""Calls in a process of their own: what they do wrong ends them alone."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from demix.api.limited import StoppedError, run_limited, stream_limited
from demix.errors import DemixError

CALLS = """
import os, signal, time
from demix.errors import DemixError

def add(a, b, send):
    send("adding")
    return a + b

def refuse(send):
    raise DemixError("song: expected music, received noise; sing")

def hang(send):
    send(os.getpid())
    time.sleep(100)

def crash(send):
    os.kill(os.getpid(), signal.SIGSEGV)

def grow(send):
    return len(bytearray(2_000_000_000))

def spin(send):
    while True:
        pass
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "limited_calls.py").write_text(CALLS)
    monkeypatch.syspath_prepend(tmp_path)
    import limited_calls  # type: ignore[import-not-found]

    return limited_calls  # type: ignore[no-any-return]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_results_and_sentences_come_back(calls: ModuleType) -> None:
    assert run_limited(calls.add, 1, 2, seconds=30, megabytes=3000) == 3
    found = list(stream_limited(calls.add, 1, 2, seconds=30, megabytes=3000))
    assert [each for each in found if each[0] != "tick"] == [("sent", "adding"), ("result", 3)]
    with pytest.raises(DemixError, match="received noise"):
        run_limited(calls.refuse, seconds=30, megabytes=3000)


def test_time_is_bounded(calls: ModuleType) -> None:
    started = time.monotonic()
    pids = []
    with pytest.raises(StoppedError, match="took longer than 1 s"):
        pids += [value for kind, value in stream_limited(calls.hang, seconds=1, megabytes=3000) if kind == "sent"]
    assert time.monotonic() - started < 10
    with pytest.raises(StoppedError):
        run_limited(calls.spin, seconds=1, megabytes=3000)


def test_a_crash_is_a_sentence(calls: ModuleType) -> None:
    with pytest.raises(StoppedError, match="signal 11"):
        run_limited(calls.crash, seconds=30, megabytes=3000)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
def test_memory_is_bounded(calls: ModuleType) -> None:
    assert run_limited(calls.grow, seconds=60, megabytes=6000) == 2_000_000_000
    with pytest.raises(DemixError, match="more memory"):
        run_limited(calls.grow, seconds=60, megabytes=1500)


def test_who_stops_listening_ends_it(calls: ModuleType) -> None:
    stream = stream_limited(calls.hang, seconds=60, megabytes=3000)
    pid = next(value for kind, value in stream if kind == "sent")
    assert alive(pid)
    stream.close()
    wait_for_end(pid)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_it_does_not_outlive_who_called(calls: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "caller.py"
    script.write_text(
        "import sys, limited_calls\nfrom demix.api.limited import stream_limited\n"
        "if __name__ == '__main__':\n"
        "    for kind, value in stream_limited(limited_calls.hang, seconds=60, megabytes=3000):\n"
        "        if kind == 'sent':\n            print(value, flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        assert alive(pid)
        caller.kill()
    wait_for_end(pid)
