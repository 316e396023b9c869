"""The OpenAPI document is true: schemathesis asks everything that it allows, and more, and no answer is a 5xx."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:
    found: dict[str, Any] = server.http.get("/api/v1/openapi.json").raise_for_status().json()
    return found


def test_everything_is_described(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
    create = document["paths"]["/api/v1/separations"]["post"]
    assert set(create["requestBody"]["content"]) >= {"multipart/form-data", "audio/*"}
    assert {"202", "413", "422", "429"} <= set(create["responses"])
    separation = document["components"]["schemas"]["Separation"]["properties"]
    assert separation["id"]["examples"]
    assert separation["status"]["enum"] == ["queued", "running", "done", "failed", "cancelled"]


def test_nothing_that_is_asked_breaks_the_server(serve: Any, tmp_path: Path) -> None:
    server = serve(queue_limit=1000)
    done = server.http.post("/api/v1/separations", data={"example": "lithium"}).json()
    server.wait(done["id"])
    (tmp_path / "schemathesis.toml").write_text(
        f'[parameters]\n"path.separation_id" = "{done["id"]}"\n"path.system" = "unet"\n"path.stem" = "vocals"\n'
    )
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", "schemathesis.toml", "run", f"{server.url}/api/v1/openapi.json"),
        *("--checks", "not_a_server_error,response_schema_conformance,content_type_conformance"),
        *("--exclude-path-regex", "/events$|/cancel$", "--exclude-method", "DELETE"),
        *(
            "--max-examples",
            "8",
            "--phases",
            "examples,coverage,fuzzing",
            "--seed",
            "1",
            "--generation-database",
            "none",
            "--no-color",
        ),
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "Traceback" not in server.log
