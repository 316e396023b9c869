"""The container files: what can be seen without building them. `make image-test` builds and runs them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from demix.api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
WHOLE = ("compose.yml", "compose.cluster.yml")  # compose.cuda.yml only adds to the first


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))["services"]
    return found


EVERY = [pytest.param(service, id=f"{file}:{name}") for file in WHOLE for name, service in services(file).items()]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DOCKER / "Dockerfile"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("service", EVERY)
def test_services_are_locked(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "/tmp" in service["tmpfs"]  # noqa: S108
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("service", EVERY)
def test_services_have_bounds_and_come_back(service: dict[str, Any]) -> None:
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", EVERY)
def test_ports_are_open_to_this_machine_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("service", EVERY)
def test_no_service_runs_as_root(service: dict[str, Any]) -> None:
    user = service.get("user", user_of_image() if service["image"] == "demix" else "root")
    assert user.partition(":")[0] not in ("", "0", "root")


def test_only_the_api_can_be_reached_from_outside() -> None:
    cluster = services("compose.cluster.yml")
    assert [name for name, service in cluster.items() if "outside" in service["networks"]] == ["api"]
    assert [name for name, service in cluster.items() if "ports" in service] == ["api"]
    networks = yaml.safe_load((DOCKER / "compose.cluster.yml").read_text(encoding="utf-8"))["networks"]
    assert networks["inside"] == {"internal": True}


def test_what_is_waited_for_says_when_it_is_healthy() -> None:
    assert re.search(r"^HEALTHCHECK .*CMD \[", DOCKERFILE, re.MULTILINE)
    for service in services("compose.cluster.yml").values():
        for name, how in service.get("depends_on", {}).items():
            other = services("compose.cluster.yml")[name]
            assert how == {"condition": "service_healthy"}
            assert other["image"] == "demix" or other["healthcheck"]["test"][0] == "CMD"
            assert not other.get("healthcheck", {}).get("disable")


def test_settings_of_containers_are_settings_of_the_server() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    texts = [path.read_text(encoding="utf-8") for path in sorted(DOCKER.glob("compose*.yml"))]
    named = set(re.findall(r"\bDEMIX_[A-Z_]+", "".join([DOCKERFILE, *texts])))
    assert "DEMIX_PORT" in named
    assert named <= known


def test_server_in_the_image_writes_to_its_volume_only() -> None:
    values = dict(re.findall(r"\b(DEMIX_\w+)=(\S+)", DOCKERFILE))
    volume = re.search(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    assert volume is not None
    for name in ("DEMIX_DATA_DIR", "DEMIX_TEMP_DIR"):
        assert Path(volume[1]) in (Path(values[name]), *Path(values[name]).parents)
    for file in WHOLE:
        demix = [service for service in services(file).values() if str(service["image"]).startswith("demix")]
        assert demix
        assert all(f"data:{volume[1]}" in service["volumes"] for service in demix)


def test_images_that_are_asked_for_are_stages() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    targets = {service["build"]["target"] for path in DOCKER.glob("compose*.yml") for service in built(path.name)}
    assert targets == {"cpu", "cuda"}
    assert targets <= set(stages)
    assert stages[-1] == "cpu"  # what `docker build` makes by default


def test_paths_in_the_image_are_of_its_python() -> None:
    image = re.search(r"^ARG PYTHON_IMAGE=\S+/python:(\d+\.\d+)-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert image is not None
    assert set(re.findall(r"/lib/python([\d.]+)/", DOCKERFILE)) == {image[1]}


def test_build_gets_what_it_copies_and_no_more() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in patterns if line.startswith("!")]
    assert patterns.index("*") < min(patterns.index(f"!{name}") for name in allowed)
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]
    assert {name.split("/")[0] if name.startswith("src") else name for name in copied} == set(allowed)
    assert all((ROOT / name).exists() for name in copied)


def test_pins_of_the_cuda_image_are_versions() -> None:
    lines = (DOCKER / "constraints-cuda.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in lines if not line.startswith("#"))
    libraries = {line.removeprefix("nvidia-").partition("-cu12==")[0] for line in lines if line.startswith("nvidia-")}
    named = re.findall(r"\$CUDA_PACKAGES/(\w+)/lib", DOCKERFILE)
    assert set(named) == {name.replace("-", "_") for name in libraries}


def built(name: str) -> list[dict[str, Any]]:
    return [service for service in services(name).values() if "build" in service]


def user_of_image() -> str:
    return re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1]
