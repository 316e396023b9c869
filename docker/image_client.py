"""What `image_test.py` asks of the server, from outside of its container and all over HTTP: songs in, stems out."""

import io
import json
import sys
import time
import uuid
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SONG = Path(__file__).resolve().parents[1] / "songs/lithium"
STEMS = ("vocals", "drums", "bass", "other")
MODELS = ("unet", "vit")
RATE = 44100
API = "/api/v1/separations"
READY_SECONDS = 60
DONE_SECONDS = 240
LOOSEST = 0.001  # how far the sum of stems in 16 bits may be from the song


def main(what: str, begun: Path) -> None:
    """Do one of: `separate` a short song; `begin` a long one; `finish` that one.

    Args:
        what: which.
        begun: file that keeps the long one's id.
    """
    wait_until_ready()
    if what == "separate":
        separate()
    elif what == "begin":
        job = post(mixture(90))
        poll(job, "running")
        begun.write_text(job, encoding="ascii")
        say("a song of 90 s is at work")
    else:
        job = poll(begun.read_text(encoding="ascii"), "done")["id"]
        vocals = stem_of(job, "unet", "vocals")
        check(len(vocals) == 90 * RATE, f"the song that was at work is done: {len(vocals)} samples")


def separate() -> None:
    """Separate a short song with both nets and check every stem."""
    song = mixture(12)
    started = time.monotonic()
    job = post(song)
    poll(job, "done")
    took = time.monotonic() - started
    for model in MODELS:
        stems = [stem_of(job, model, stem) for stem in STEMS]
        check(all(stem.shape == song.shape for stem in stems), f"{model}: 4 stems of {song.shape} samples")
        apart = float(np.abs(np.sum(stems, axis=0) - song).max())
        check(apart < LOOSEST, f"{model}: they add up to the song, to {apart:.1g}")
        levels = [float(np.sqrt(np.mean(stem**2))) for stem in stems]
        check(min(levels) > LOOSEST, f"{model}: rms {', '.join(f'{level:.3f}' for level in levels)}")
    page = request("GET", "/", expected=200)
    check(b"<!doctype html" in page[:100].lower(), "the page is there")
    say(f"12 s of {SONG.name} took {took:.1f} s with {' and '.join(MODELS)}")


def mixture(seconds: int) -> np.ndarray:
    """Return the beginning of the song, the sum of its stems, as `(samples, channels)`."""
    stems = [soundfile.read(SONG / f"{stem}.ogg", seconds * RATE, always_2d=True)[0] for stem in STEMS]
    return np.sum(stems, axis=0)


def stem_of(job: str, model: str, stem: str) -> np.ndarray:
    """Download a stem as wav."""
    content = request("GET", f"{API}/{job}/systems/{model}/stems/{stem}?format=wav", expected=200)
    samples, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    if rate != RATE:
        sys.exit(f"{model}, {stem}: expected {RATE} Hz, received {rate}")
    return samples


def post(song: np.ndarray) -> str:
    """Upload a song as a browser does and return the separation's id."""
    file = io.BytesIO()
    soundfile.write(file, song, RATE, format="WAV", subtype="FLOAT")
    edge = uuid.uuid4().hex
    fields = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="models"\r\n\r\n{model}\r\n' for model in MODELS
    )
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="song.wav"\r\n\r\n'
    body = f"{fields}{head}".encode() + file.getvalue() + f"\r\n--{edge}--\r\n".encode()
    kind = f"multipart/form-data; boundary={edge}"
    return str(json.loads(request("POST", API, body=body, kind=kind, expected=202))["id"])


def poll(job: str, wanted: str) -> dict[str, Any]:
    """Wait until a separation is in a state."""
    end = time.monotonic() + DONE_SECONDS
    while True:
        found: dict[str, Any] = json.loads(request("GET", f"{API}/{job}", expected=200))
        if found["status"] == wanted:
            return found
        if found["status"] not in ("queued", "running") or time.monotonic() > end:
            sys.exit(f"expected {wanted}, received {found}")
        time.sleep(0.2)


def wait_until_ready() -> None:
    """Wait until the server says that it is."""
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            return check(request("GET", "/readyz", expected=200), "ready")
        except OSError as error:
            if time.monotonic() > end:
                sys.exit(f"expected a server that is ready within {READY_SECONDS} s, received {error}")
            time.sleep(0.2)


def request(method: str, path: str, *, expected: int, body: bytes | None = None, kind: str = "") -> bytes:
    """Return the body of an answer."""
    there = HTTPConnection("127.0.0.1", 8000, timeout=60)
    try:
        there.request(method, path, body, {"Content-Type": kind} if kind else {})
        answer = there.getresponse()
        content = answer.read()
    finally:
        there.close()
    if answer.status != expected:
        raise OSError(f"{method} {path}: expected {expected}, received {answer.status} {content[:300]!r}")
    return content


def check(holds: object, sentence: str) -> None:
    """Say what was found; end when it must not be."""
    if not holds:
        sys.exit(sentence)
    say(sentence)


def say(line: str) -> None:
    """Print a finding."""
    sys.stdout.write(f"  ok: {line}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
