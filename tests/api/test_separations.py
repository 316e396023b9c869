"""A song goes up, its stems come down: the same as `demix separate` makes."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from demix import audio, separate
from demix.output import Output


def waveform(answer: httpx.Response) -> np.ndarray:
    return np.asarray(soundfile.read(io.BytesIO(answer.content), dtype="float32", always_2d=True)[0].T)


def test_stems_are_those_of_the_command(server: Any, song: Path, finished: dict[str, Any], tmp_path: Path) -> None:
    outcomes = separate(song, models=["unet", "vit"], output=Output(tmp_path))
    for outcome in outcomes:
        for stem, path in outcome.stems.items():
            expected, _ = audio.read(Path(path))
            for kind in ("wav", "flac"):
                assert np.array_equal(waveform(server.stem(finished, outcome.model, stem, format=kind)), expected)
    assert finished["seconds"] == pytest.approx(expected.shape[1] / 44_100)
    assert finished["progress"] == 1


def test_a_form_and_a_body_are_the_same(server: Any, song: Path, finished: dict[str, Any]) -> None:
    answer = server.http.post(
        "/api/v1/separations",
        params={"models": "unet", "format": "flac", "title": "../../etc/raw.mp3"},
        content=song.read_bytes(),
        headers={"Content-Type": "audio/mpeg"},
    )
    assert answer.status_code == 202
    job = server.wait(answer.json()["id"])
    assert answer.headers["Location"].endswith(job["id"])
    assert job["title"] == "raw.mp3"
    assert job["models"] == ["unet"]
    assert server.stem(job, "unet", "drums").content == server.stem(finished, "unet", "drums").content


def test_only_the_stems_that_were_asked_for(server: Any, song: Path) -> None:
    job = server.separate(song, stems="bass,vocals")
    assert job["stems"] == ["vocals", "bass"]
    assert job["format"] == "wav"
    assert server.stem(job, "unet", "bass").headers["Content-Type"] == "audio/wav"
    drums = server.http.get(f"/api/v1/separations/{job['id']}/systems/unet/stems/drums")
    assert drums.status_code == 404
    assert "vocals, bass" in drums.json()["detail"]


def test_two_stems_add_up_to_all(server: Any, song: Path, finished: dict[str, Any]) -> None:
    job = server.separate(song, two_stems="vocals", format="flac")
    assert job["stems"] == ["vocals", "no_vocals"]
    rest = sum(waveform(server.stem(finished, "unet", stem)) for stem in ("drums", "bass", "other"))
    assert np.allclose(waveform(server.stem(job, "unet", "no_vocals")), rest, atol=4 / 32768)


def test_mp3_is_as_long_as_the_song(server: Any, finished: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(server.stem(finished, "vit", "vocals", format="mp3").content)
    lossy, rate = audio.read(tmp_path / "a.mp3")
    exact = waveform(server.stem(finished, "vit", "vocals"))
    assert rate == 44_100
    assert lossy.shape == exact.shape
    assert np.abs(lossy - exact).max() < 0.1


def test_the_zip_holds_the_stems(server: Any, finished: dict[str, Any]) -> None:
    url = f"/api/v1/separations/{finished['id']}/zip"
    answer = server.http.get(url)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert "my song.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        assert len(packed.namelist()) == 8
        assert packed.read("my song/vit/bass.flac") == server.stem(finished, "vit", "bass").content
    for told in (False, True):  # converted while it is sent, and then from what is there
        one = server.http.get(url, params={"system": "unet", "format": "mp3"})
        assert ("Content-Length" in one.headers) == told
        with zipfile.ZipFile(io.BytesIO(one.content)) as packed:
            assert packed.testzip() is None
            assert sorted(packed.namelist())[0] == "my song/unet/bass.mp3"
    assert server.http.get(url, params={"system": "truth"}).status_code == 404


def test_the_example_comes_with_the_truth_and_scores(server: Any) -> None:
    answer = server.http.post("/api/v1/separations", data={"example": "lithium", "models": ["unet", "vit"]})
    assert answer.status_code == 202, answer.text
    job = server.wait(answer.json()["id"])
    assert job["systems"] == ["unet", "vit", "truth"]
    truth = {stem: waveform(server.stem(job, "truth", stem)) for stem in job["stems"]}
    for model in ("unet", "vit"):
        estimates = {stem: waveform(server.stem(job, model, stem)) for stem in job["stems"]}
        mixture, total = sum(truth.values()), sum(estimates.values())
        assert np.allclose(mixture, total, atol=10 / 32768), "masks do not add up to the mixture"
        for stem, estimate in estimates.items():
            error = truth[stem] - estimate
            sdr = 10 * np.log10(((truth[stem] ** 2).sum() + 1e-7) / ((error**2).sum() + 1e-7))
            assert job["scores"][model][stem] == pytest.approx(sdr, abs=0.02)
    assert "truth" not in str(zipfile.ZipFile(io.BytesIO(_zip(server, job))).namelist())


def _zip(server: Any, job: dict[str, Any]) -> bytes:
    content: bytes = server.http.get(f"/api/v1/separations/{job['id']}/zip").content
    return content


def test_deleted_is_gone(server: Any, song: Path) -> None:
    job = server.separate(song)
    assert server.stored_files(job["id"])
    assert not [path for path in server.stored_files(job["id"]) if path.name == "input"], "the upload was kept"
    url = f"/api/v1/separations/{job['id']}"
    assert server.http.delete(url).status_code == 204
    assert server.http.get(url).status_code == 404
    assert server.http.delete(url).status_code == 404
    assert not server.stored_files(job["id"])
    assert not server.temp_files()


def test_what_is_not_done_has_no_files(serve: Any, song: Path) -> None:
    server = serve(workers=0)
    job = server.upload(song).json()
    assert (job["status"], job["position"]) == ("queued", 1)
    url = f"/api/v1/separations/{job['id']}"
    for path in ("zip", "spectrogram", "systems/unet/stems/vocals", "systems/unet/stems/vocals/peaks"):
        answer = server.http.get(f"{url}/{path}")
        assert (answer.status_code, "queued" in answer.json()["detail"]) == (409, True)
    assert server.http.post(f"{url}/cancel").json()["status"] == "cancelled"
    assert server.http.post(f"{url}/cancel").status_code == 409
    assert not server.stored_files(job["id"])


def test_results_expire(serve: Any, song: Path) -> None:
    server = serve(keep_hours=1 / 3600, stale_seconds=1)
    job = server.upload(song).json()
    deadline = time.monotonic() + 60
    while server.http.get(f"/api/v1/separations/{job['id']}").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not server.stored_files(job["id"])


def test_a_song_at_work_survives_a_restart(serve: Any, song: Path) -> None:
    first = serve()
    ids = [first.upload(song, models=["unet", "vit"]).json()["id"] for _ in range(3)]
    while first.job(ids[0])["status"] == "queued":
        time.sleep(0.02)
    assert first.stop() == 0
    assert not first.temp_files()
    second = serve()
    assert [second.wait(each)["status"] for each in ids] == ["done"] * 3
