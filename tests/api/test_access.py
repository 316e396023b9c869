"""Who may do what, how often, and what browsers are told."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KEYS = ("demix_alpha", "demix_beta")
PLACES = ("service", "models", "examples", "results", "separations", "separations/x", "separations/x/zip")


def test_without_a_key_nothing_but_the_door(serve: Any) -> None:
    server = serve(workers=0, api_keys=",".join(hashlib.sha256(key.encode()).hexdigest() for key in KEYS))
    assert server.http.get("/api/v1/service").json()["auth"] is True
    for place in PLACES[1:]:
        answer = server.http.get(f"/api/v1/{place}")
        assert answer.status_code == 401, place
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for header in ("Bearer wrong", "Basic demix_alpha", "demix_alpha", "Bearer"):
        assert server.http.get("/api/v1/models", headers={"Authorization": header}).status_code == 401
    assert server.http.post("/api/v1/separations", data={"example": "lithium"}).status_code == 401
    alpha, beta = ({"Authorization": f"Bearer {key}"} for key in KEYS)
    job = server.http.post("/api/v1/separations", data={"example": "lithium"}, headers=alpha).json()
    listed = server.http.get("/api/v1/separations", headers=alpha).json()["separations"]
    assert [each["id"] for each in listed] == [job["id"]]
    assert server.http.get("/api/v1/separations", headers=beta).json()["separations"] == []
    for method in ("GET", "DELETE"):
        assert server.http.request(method, f"/api/v1/separations/{job['id']}", headers=beta).status_code == 404
    assert server.http.get(f"/api/v1/separations/{job['id']}", headers=alpha).status_code == 200


def test_without_keys_ids_are_the_only_way_in(server: Any, finished: dict[str, Any]) -> None:
    assert server.http.get("/api/v1/separations").json() == {"separations": []}
    assert len(finished["id"]) == 24


def test_a_client_may_ask_for_so_much(serve: Any) -> None:
    server = serve(workers=0, rate_limit="2/minute", request_limit="6/minute")
    codes = [server.http.post("/api/v1/separations", data={"example": "lithium"}).status_code for _ in range(3)]
    assert codes == [202, 202, 429]
    answers = [server.http.get("/api/v1/models") for _ in range(5)]
    assert [each.status_code for each in answers][-1] == 429
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert server.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("place", ["/", "/api/v1/models", "/nope", "/assets/logo.svg", "/healthz"])
def test_every_answer_keeps_browsers_safe(server: Any, place: str) -> None:
    headers = server.http.get(place).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "server" not in headers


def test_the_page_is_small_and_not_sent_twice(server: Any) -> None:
    for place in ("/", "/assets/app.css", "/assets/js/main.js", "/favicon.ico"):
        packed = server.http.get(place)
        plain = server.http.get(place, headers={"Accept-Encoding": "identity"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.content == plain.content
        assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
        again = server.http.get(place, headers={"If-None-Match": plain.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_errors_are_sentences(server: Any) -> None:
    for method, place, status in (
        ("GET", "/nope", 404),
        ("GET", "/api/v1/nope", 404),
        ("PUT", "/api/v1/models", 405),
        ("GET", "/assets/../app.py", 404),
        ("GET", "/assets/..%2fapp.py", 404),
        ("GET", "/assets/%2e%2e/app.py", 404),
        ("GET", "/assets//etc/passwd", 404),
        ("GET", "/results/..%2f..%2fsecret/", 404),
        ("GET", "/results/nothing/", 404),
    ):
        answer = server.http.request(method, place)
        assert answer.status_code == status, place
        assert answer.json()["detail"][0].islower()


def test_reports_are_shown_in_a_place_of_their_own(serve: Any, tmp_path: Path) -> None:
    server = serve(workers=0, results_dir=tmp_path / "results")
    assert server.http.get("/api/v1/results").json() == {"results": []}
    (tmp_path / "results" / "first").mkdir(parents=True)
    (tmp_path / "results" / "first" / "index.html").write_text("<title>U-Net &amp; ViT</title><script>1</script>")
    (tmp_path / "results" / "other.txt").write_text("no report")
    [found] = server.http.get("/api/v1/results").json()["results"]
    assert found == {"name": "first", "title": "U-Net & ViT", "url": "/results/first/"}
    shown = server.http.get(found["url"])
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "allow-same-origin" not in shown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in shown.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DEMIX_PORT", "99999", "DEMIX_PORT: "),
        ("DEMIX_API_KEYS", "secret", "64 hexadecimal digits"),
        ("DEMIX_RATE_LIMIT", "often", "expected a rate as 60/minute"),
        ("DEMIX_MODELS", "nothing.onnx", "nothing.onnx"),
        ("DEMIX_DATABASE_URL", "nonsense", "job table"),
        ("DEMIX_STORAGE_URL", "gopher://x", "DEMIX_STORAGE_URL"),
        ("DEMIX_QUEUE_URL", "http://x", "DEMIX_QUEUE_URL"),
        ("DEMIX_HOST", "300.1.2.3", "cannot listen there"),
    ],
)
def test_settings_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    command = (
        [sys.executable, "-m", "demix", "serve", "--port", "0"]
        if name != "DEMIX_PORT"
        else [sys.executable, "-m", "demix", "serve"]
    )
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("demix: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
    assert value != "secret" or "secret" not in done.stderr


def test_help_lists_every_setting(tmp_path: Path) -> None:
    from demix.api.settings import Settings

    done = subprocess.run([sys.executable, "-m", "demix", "serve", "--help"], capture_output=True, text=True)
    for name in Settings.model_fields:
        assert f"DEMIX_{name.upper()}" in done.stdout


def test_a_key_is_known_by_its_hash() -> None:
    done = subprocess.run([sys.executable, "-m", "demix", "api-key"], capture_output=True, text=True, check=True)
    key, digest = (line.split()[-1] for line in done.stdout.splitlines())
    assert hashlib.sha256(key.encode()).hexdigest() == digest
