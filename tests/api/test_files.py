"""Stored files over HTTP: ranges, caches, waveforms, spectrograms and masks."""

import io
import json
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image


def url(job: dict[str, Any], path: str) -> str:
    return f"/api/v1/separations/{job['id']}/{path}"


def image(server: Any, job: dict[str, Any], path: str) -> np.ndarray:
    answer = server.http.get(url(job, path)).raise_for_status()
    assert answer.headers["Content-Type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_parts_add_up_to_the_whole(server: Any, finished: dict[str, Any]) -> None:
    place = url(finished, "systems/unet/stems/vocals")
    whole = server.http.get(place)
    assert whole.headers["Accept-Ranges"] == "bytes"
    size, parts = len(whole.content), []
    for start in range(0, size, 100_000):
        answer = server.http.get(place, headers={"Range": f"bytes={start}-{start + 99_999}"})
        end = min(size, start + 100_000) - 1
        assert answer.status_code == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{size}"
        parts.append(answer.content)
    assert b"".join(parts) == whole.content


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=-10", 206, slice(-10, None)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-99999999", 206, slice(0, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("lines=0-1", 200, slice(0, None)),
        ("bytes=5-2", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=99999999-", 416, None),
        (f"bytes={'9' * 5000}-", 200, slice(0, None)),
    ],
)
def test_ranges(server: Any, finished: dict[str, Any], asked: str, status: int, part: slice | None) -> None:
    place = url(finished, "systems/unet/stems/vocals")
    answer = server.http.get(place, headers={"Range": asked})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == server.http.get(place).content[part]


def test_what_a_client_has_is_not_sent_again(server: Any, finished: dict[str, Any]) -> None:
    place = url(finished, "systems/unet/stems/vocals")
    tag = server.http.get(place).headers["ETag"]
    again = server.http.get(place, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    other = server.http.get(place, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert other.status_code == 200
    same = server.http.get(place, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert same.status_code == 206
    assert server.http.get(place, params={"format": "wav"}).headers["ETag"] != tag


def test_head_is_get_without_the_body(server: Any, finished: dict[str, Any]) -> None:
    place = url(finished, "systems/unet/stems/vocals")
    head, get = server.http.head(place), server.http.get(place)
    assert head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_peaks_are_the_extremes(server: Any, finished: dict[str, Any]) -> None:
    peaks = server.http.get(url(finished, "systems/vit/stems/drums/peaks")).raise_for_status().json()
    samples, _ = soundfile.read(io.BytesIO(server.stem(finished, "vit", "drums").content), dtype="float32")
    step = peaks["samples_per_pixel"]
    assert peaks["length"] * 2 == len(peaks["data"])
    assert peaks["length"] == -(-len(samples) // step)
    for number in (0, 100, peaks["length"] - 1):
        piece = samples[number * step : (number + 1) * step]
        low, high = peaks["data"][2 * number : 2 * number + 2]
        assert (low, high) == (round(float(piece.min()) * 127), round(float(piece.max()) * 127))


def test_masks_share_the_mixture(server: Any, finished: dict[str, Any]) -> None:
    geometry = server.http.get(url(finished, "spectrogram")).json()
    assert geometry["seconds"] == pytest.approx(finished["seconds"])
    assert geometry["tiles"] == 1
    level = image(server, finished, "spectrogram/0")
    columns = int(np.ceil(geometry["width"] * geometry["seconds"] / geometry["tile_seconds"]))
    assert level.shape == (geometry["height"], columns)
    assert level.max() == 255
    for model in finished["models"]:
        masks = [image(server, finished, f"systems/{model}/masks/{stem}/0") for stem in finished["stems"]]
        total = np.sum(masks, axis=0, dtype=int)
        assert np.abs(total[level > 0] - 255).max() <= 2
        assert np.std(masks[0]) > 1


def test_a_tone_is_where_its_pitch_is(server: Any, tmp_path: Any) -> None:
    time = np.arange(3 * 44_100) / 44_100
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.stack([0.5 * np.sin(2 * np.pi * 1000 * time)] * 2, axis=1), 44_100)
    job = server.separate(path)
    geometry = server.http.get(url(job, "spectrogram")).json()
    level = image(server, job, "spectrogram/0")
    row = int(level[:, level.shape[1] // 2].argmax())
    span = np.log(geometry["high_hz"] / geometry["low_hz"])
    pitch = geometry["high_hz"] * np.exp(-span * (row + 0.5) / geometry["height"])
    assert pitch == pytest.approx(1000, rel=0.02)


def test_what_is_not_there_is_404(server: Any, finished: dict[str, Any]) -> None:
    for path in (
        "systems/truth/stems/vocals",
        "systems/unet/stems/guitar",
        "systems/unet/stems/guitar/peaks",
        "systems/unet/masks/vocals/9",
        "spectrogram/7",
        "systems/..%2f..%2f/stems/vocals",
        "systems/unet/stems/..%2f..%2finput",
    ):
        answer = server.http.get(url(finished, path))
        assert answer.status_code == 404, path
        assert json.loads(answer.content)["detail"]
    for path in ("systems/unet/stems/vocals?format=ogg", "systems/unet/masks/vocals/-1", f"spectrogram/{'9' * 300}"):
        assert server.http.get(url(finished, path)).status_code == 422
