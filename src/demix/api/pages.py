"""The page, its files, and the reports of comparisons: what a browser shows."""

import gzip
import hashlib
import html
import re
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, Response

from demix.api.access import Shared

WEB = Path(__file__).parent / "web"
REPORT = "index.html"
_TITLE = re.compile(rb"<title>(.*?)</title>", re.DOTALL)
_TITLE_BYTES = 4096
_NAME = re.compile(r"[\w./-]{1,100}")
# A report is one file with all in it. It runs in an origin of its own: nothing in it reaches the API.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "media-src data: blob:; font-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-scripts allow-downloads allow-popups"
)
# Python's own guesses follow the machine's registry, which may say that a module is plain text.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.head("/")
def page(request: Request) -> Response:
    """Show the page."""
    return _asset("index.html", request)


@router.get("/results")
@router.get("/results/")
def results_page(request: Request) -> Response:
    """Show the page of reports."""
    return _asset("results.html", request)


@router.get("/favicon.ico")
def favicon(request: Request) -> Response:
    """Show the logo where a browser looks for one."""
    return _asset("logo.svg", request)


@router.get("/assets/{path:path}")
def asset(path: str, request: Request) -> Response:
    """Get a file of the page."""
    return _asset(path, request)


@router.get("/results/{name}")
def report_without_slash(name: str) -> Response:
    """Lead to the report."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise HTTPException(404, "expected the name of a report")
    return Response(status_code=307, headers={"Location": f"/results/{name}/"})


@router.get("/results/{name}/")
def report(name: str, services: Shared) -> Response:
    """Show a report."""
    found = {each for each, _ in find_reports(services.settings.results_dir)}
    if name not in found:  # nothing but names that were found leads to a file
        raise HTTPException(404, "expected the name of a report, found none; see /results")
    path = services.settings.results_dir / name / REPORT
    headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "no-cache", "X-Frame-Options": "SAMEORIGIN"}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


def find_reports(folder: Path) -> list[tuple[str, str]]:
    """Return name and title of the reports in a folder, the newest first."""
    paths = [path for path in folder.glob(f"*/{REPORT}") if path.is_file()]
    paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [(path.parent.name, _title(path)) for path in paths]


def _title(path: Path) -> str:
    with path.open("rb") as file:
        found = _TITLE.search(file.read(_TITLE_BYTES))
    text = html.unescape(found.group(1).decode("utf-8", "replace")) if found else ""
    return " ".join(text.split()) or path.parent.name


def _asset(name: str, request: Request) -> Response:
    path = WEB.joinpath(*name.split("/"))
    if not _NAME.fullmatch(name) or ".." in name.split("/") or path.suffix not in _TYPES or not path.is_file():
        raise HTTPException(404, "no such page")
    packed, plain, tag = _content(path, path.stat().st_mtime_ns)
    headers = {"Cache-Control": "no-cache", "ETag": tag, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(plain, headers=headers, media_type=_TYPES[path.suffix])
    return Response(packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=_TYPES[path.suffix])


@lru_cache(maxsize=256)
def _content(path: Path, _changed: int) -> tuple[bytes, bytes, str]:
    """Return a file's content as gzip, as it is, and its entity tag."""
    plain = path.read_bytes()
    return gzip.compress(plain, mtime=0), plain, f'W/"{hashlib.sha256(plain).hexdigest()[:24]}"'
