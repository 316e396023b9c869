"""What `demix serve` works with on many machines: Redis, PostgreSQL and an S3, each a process of this machine."""

import getpass
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
import soundfile

SONGS = Path(__file__).parents[2] / "songs"
BUCKET = "demix"
POSTGRES_USER = "postgres"  # PostgreSQL refuses to run as root


def load(path: Path) -> Any:
    """Import a file: test modules do not find each other by name."""
    spec = importlib.util.spec_from_file_location(f"demix_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


processes = load(Path(__file__).with_name("processes.py"))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Any]:
    """Give what starts servers and workers for one test."""
    found = processes.Fleet(tmp_path)
    yield found
    found.end()


@pytest.fixture(scope="session")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give what starts the services that all tests share."""
    found = processes.Fleet(tmp_path_factory.mktemp("cluster"))
    yield found
    found.end()


@pytest.fixture(scope="session")
def needs_redis() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("needs Redis: apt-get install redis-server")


@pytest.fixture(scope="session")
def redis_url(needs_redis: None, shared_fleet: Any) -> str:
    return f"redis://127.0.0.1:{shared_fleet.redis()[1]}/0"


@pytest.fixture(scope="session")
def start_postgres(shared_fleet: Any) -> Iterator[Callable[[], tuple[Any, int]]]:
    """Give a function that starts PostgreSQL, and starts it again on the same files."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    programs = found[-1].parent if found else Path(shutil.which("postgres") or "").parent
    if not (programs / "initdb").exists():
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    folder = tempfile.mkdtemp(prefix="demix-postgres-")  # not in pytest's, which no other user may enter
    who: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        shutil.chown(folder, POSTGRES_USER, POSTGRES_USER)
        who |= {"user": POSTGRES_USER, "group": POSTGRES_USER, "extra_groups": []}
    data, port = f"{folder}/data", processes.free_port()
    words = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", f"--username={getpass.getuser()}"]
    made = shared_fleet.start("initdb", str(programs / "initdb"), "-D", data, *words, **who)
    assert made.process.wait(60) == 0, made.log
    running: list[Any] = []

    def start() -> tuple[Any, int]:
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB"]
        options = [word for each in settings for word in ("-c", each)]
        running.append(
            shared_fleet.start("postgres", str(programs / "postgres"), "-D", data, "-p", str(port), *options, **who)
        )
        shared_fleet.wait("PostgreSQL", lambda: "ready to accept" in running[-1].log)
        return running[-1], port

    yield start
    for each in running:
        if each.process.poll() is None:
            each.kill(signal.SIGQUIT)  # an end that leaves no shared memory
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_port(start_postgres: Callable[[], tuple[Any, int]]) -> int:
    return start_postgres()[1]


@pytest.fixture
def postgres_url(postgres_port: int, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a database of the test's own."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    server = f"host=127.0.0.1 port={postgres_port} user={getpass.getuser()} dbname=postgres"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://{getpass.getuser()}@127.0.0.1:{postgres_port}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def s3_environment(shared_fleet: Any) -> dict[str, str]:
    """Give the environment in which `s3://demix/...` is a store of this machine."""
    pytest.importorskip("moto", reason="needs moto: pip install '.[dev]'")
    port = processes.free_port()
    running = shared_fleet.start("s3", sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    shared_fleet.wait("S3", lambda: running.process.poll() is not None or processes.answers(port))
    assert running.process.poll() is None, running.log
    address = f"http://127.0.0.1:{port}"
    assert httpx.put(f"{address}/{BUCKET}").status_code == 200
    names = {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1"}
    return names | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="session")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that cuts real songs short: seconds of one, or of several one after the other."""
    folder = tmp_path_factory.mktemp("songs")

    def cut(*names: str, seconds: float, suffix: str = ".flac", start: float = 20.0) -> Path:
        path = folder / f"{'-'.join(names)}-{start:g}-{seconds:g}{suffix}"
        pieces = []
        for name in names:
            stems = [soundfile.read(each, dtype="float32") for each in sorted((SONGS / name).glob("*.ogg"))]
            rate = stems[0][1]
            mixture = np.sum([waveform for waveform, _ in stems], axis=0) / 2
            pieces.append(mixture[round(start * rate) :][: round(seconds * rate)])
        soundfile.write(path, np.concatenate(pieces), rate)
        return path

    return cut
