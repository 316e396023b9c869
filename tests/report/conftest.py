"""A results folder as evaluation writes it, made of two of the songs that ship with the project."""

import csv
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from scipy.ndimage import uniform_filter

from demix import report
from demix.config import SAMPLE_RATE, STEMS
from demix.evaluation.baselines import BASELINES
from demix.evaluation.scores import score_track, write_scores, write_seconds
from demix.spectral import STFT

SONGS = Path(__file__).parents[2] / "songs"
MAX_HZ = 8_000
EXCERPT_SECONDS = 2
EXCERPT_TO_END_SECONDS = 18  # of Lithium: all four stems sound there


def read_song(name: str, seconds: float) -> np.ndarray:
    """Read the end of a song, `(stems, channels, samples)`; a stem without a file is silent."""
    frames = int(seconds * SAMPLE_RATE)
    stems = np.zeros((len(STEMS), 2, frames), np.float32)
    for index, stem in enumerate(STEMS):
        if (path := SONGS / name / f"{stem}.ogg").is_file():
            length = soundfile.info(path).frames
            wave, _ = soundfile.read(path, start=length - frames, dtype="float32", always_2d=True)
            stems[index] = wave.T
    return stems


def run_name(net: str, seed: int, seeds: int) -> str:
    """Name a run as training does: after its net, and its seed where there are several."""
    return net if seeds == 1 else f"evidence-{net}-{seed}"


def nets_of(masks: np.ndarray, seeds: int = 1) -> dict[str, np.ndarray]:
    """Make up two nets: the ideal masks seen through a blur, and through patches; `(stems, channels, bins, frames)`.

    Every further seed trusts its masks a little less, the ViT's more so.
    """
    blurred = np.stack([uniform_filter(mask, (1, 9, 5)) for mask in masks])
    patchy = np.stack([uniform_filter(mask, (1, 24, 9)) for mask in masks])
    shares = {"unet": (blurred, 0.05), "vit": (patchy, 0.09)}
    return {
        run_name(net, seed, seeds): (share := 0.9 - step * seed) * mask + (1 - share) / 4
        for net, (mask, step) in shares.items()
        for seed in range(seeds)
    }


def make_results(
    folder: Path,
    songs: dict[str, float],
    hpss: Callable | None = None,
    *,
    seeds: int = 1,
    protocol: dict | None = None,
) -> Path:
    """Write a results folder: the seconds of each song to score; the first one lends the excerpt."""
    stft, rows, seconds = STFT(), [], []
    for name, length in songs.items():
        stems = read_song(name, length)
        mixture = stems.sum(axis=0)
        spectra = stft.forward(stems)
        power = np.abs(spectra) ** 2 + 1e-12
        oracle = power / power.sum(axis=0)
        masks = nets_of(oracle, seeds)
        estimates = {
            net: stft.inverse((mask * stft.forward(mixture)).astype(np.complex64), samples=mixture.shape[-1])
            for net, mask in masks.items()
        }
        functions = BASELINES | {"hpss": hpss or (lambda mixture, _: np.stack([mixture / 3] * len(STEMS)))}
        estimates |= {baseline: function(mixture, stems) for baseline, function in functions.items()}
        for system, estimate in estimates.items():
            new_rows, new_seconds = score_track(stems, estimate, system=system, track=name)
            rows += new_rows
            seconds += new_seconds
        if name == next(iter(songs)):
            write_excerpt(folder / "excerpt", stems, estimates, masks | {"oracle": oracle}, stft)
    write_scores(folder / "scores.csv", rows)
    write_seconds(folder / "seconds.csv", seconds)
    for index, net in enumerate(("unet", "vit")):
        for seed in range(seeds):
            rate = 1.0 - 0.3 * index - 0.1 * seed
            write_history(folder / f"history-{run_name(net, seed, seeds)}.csv", rate=rate)
    facts = facts_of(songs, seeds)
    if protocol is not None:
        facts["protocol"] = protocol
    (folder / "results.json").write_text(json.dumps(facts))
    return folder


def write_excerpt(folder: Path, stems: np.ndarray, estimates: dict, masks: dict, stft: STFT) -> None:
    folder.mkdir(parents=True)
    start = stems.shape[-1] - EXCERPT_TO_END_SECONDS * SAMPLE_RATE
    samples, bins = EXCERPT_SECONDS * SAMPLE_RATE, int(MAX_HZ * stft.n_fft / SAMPLE_RATE)
    sounds = {"truth": stems, **{name: estimates[name] for name in masks if name != "oracle"}}
    sounds = {name: waves[..., start : start + samples] for name, waves in sounds.items()}
    for name, waves in sounds.items():
        for stem, wave in zip(STEMS, waves, strict=True):
            soundfile.write(folder / f"{name}-{stem}.flac", np.clip(wave.T, -1, 1), SAMPLE_RATE)
    mixture = sounds["truth"].sum(axis=0)
    soundfile.write(folder / "mixture.flac", np.clip(mixture.T, -1, 1), SAMPLE_RATE)

    def shrink(values: np.ndarray) -> np.ndarray:
        values = values[..., : bins // 2 * 2, :]
        return values.reshape(*values.shape[:-2], bins // 2, 2, -1).mean(axis=-2)

    def level_db(waves: np.ndarray) -> np.ndarray:
        return 10 * np.log10(shrink((np.abs(stft.forward(waves)) ** 2).mean(axis=-3)) + 1e-9)

    truth_db = level_db(sounds["truth"])
    first = start // stft.hop_length
    arrays = {
        name: shrink(mask.mean(axis=1))[..., first : first + truth_db.shape[-1]].astype(np.float16)
        for name, mask in masks.items()
    }
    np.savez_compressed(folder / "masks.npz", mixture_db=level_db(mixture), truth_db=truth_db, **arrays)


def write_history(path: Path, rate: float) -> None:
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", "loss", "learning_rate", "valid_sdr"])
        for step in range(1, 601):
            loss = 0.3 + 0.7 * np.exp(-rate * step / 120) + 0.05 * rng.standard_normal()
            sdr = 6 * (1 - np.exp(-rate * step / 150)) - 1 if step % 50 == 0 else ""
            writer.writerow([step, step * (0.38 + 0.05 * rate), loss, 1e-3, sdr])


def facts_of(songs: dict[str, float], seeds: int = 1) -> dict:
    shared = {"kind": "net", "steps": 600, "batch_size": 4, "segment_seconds": 6.0, "mask": "softmax"}
    plain = {
        "unet": {"label": "U-Net", "parameters": 912_000, "gflops_per_second": 1.31, "step_mib": 310},
        "vit": {"label": "ViT", "parameters": 934_000, "gflops_per_second": 2.72, "step_mib": 520},
    }
    measured = {"unet": (258.0, 41.0), "vit": (249.0, 33.5)}
    nets = []
    for seed in range(seeds):  # as a sweep lists them: the nets of a seed side by side
        for net, facts in plain.items():
            seconds, speed = measured[net]
            entry = {"name": run_name(net, seed, seeds), **facts, **shared, "seed": seed}
            entry |= {"training_seconds": seconds + 12 * seed, "realtime_factor": speed - seed}
            entry |= {"config": {"model": {"name": net}}} | ({"group": net} if seeds > 1 else {})
            nets.append(entry)
    labels = {"mixture": "Mixture (floor)", "equal": "Equal masks", "hpss": "HPSS", "oracle": "Oracle mask (ceiling)"}
    return {
        "name": "free-tiny",
        "created": "2026-11-22 20:14",
        "version": "0.1.0",
        "commit": None,
        "command": "demix compare",
        "dataset": {
            "name": "free",
            "root_label": "songs that ship with demix (everything-is-free)",
            "licence": "CC0-1.0",
            "artists": ["Software-Entwicklungskit"],
            "train": ["caesium", "francium", "hydrogen", "potassium", "rubidium"],
            "valid": ["sodium"],
            "test": list(songs),
            "train_minutes": 5.4,
            "test_minutes": sum(songs.values()) / 60,
        },
        "systems": [*nets, *({"name": name, "kind": "baseline", "label": text} for name, text in labels.items())],
        "excerpt": {
            "track": next(iter(songs)),
            "start_seconds": next(iter(songs.values())) - EXCERPT_TO_END_SECONDS,
            "seconds": EXCERPT_SECONDS,
            "sample_rate": SAMPLE_RATE,
            "hop_length": 1024,
            "n_fft": 4096,
            "max_hz": MAX_HZ,
        },
        "machine": {"cpu": "a 2-core machine", "cores": 2, "python": "3.11.7", "torch": "2.13.0"},
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of two songs; the second one has no bass."""
    return make_results(tmp_path_factory.mktemp("results"), {"lithium": 22.0, "caesium": 11.0})


@pytest.fixture(scope="session")
def page(folder: Path) -> str:
    return report.build(folder).read_text(encoding="utf-8")


PROTOCOL = {"name": "evidence", "metric": "sdr", "counts_db": 0.3, "alpha": 0.05, "power": 0.8, "seeds": [0, 1, 2]}


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of three seeds and a protocol."""
    songs = {"lithium": 20.0, "caesium": 11.0, "sodium": 11.0}
    protocol = {**PROTOCOL, "text": '# what decides\nmetric = "sdr"\ncounts_db = 0.3\n'}
    return make_results(tmp_path_factory.mktemp("seeded"), songs, seeds=3, protocol=protocol)


@pytest.fixture(scope="session")
def seeded_page(seeded: Path) -> str:
    return report.build(seeded).read_text(encoding="utf-8")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder to spoil, without the page."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("index.html", "table.md", "figures"))
    return copy


def load_evidence_files() -> ModuleType:
    """Import the writers of the evidence's files, which stand beside this file."""
    path = Path(__file__).with_name("evidence_files.py")
    spec = importlib.util.spec_from_file_location("demix_evidence_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


evidence_files = load_evidence_files()


@pytest.fixture(scope="session")
def writers() -> ModuleType:
    return evidence_files


@pytest.fixture(scope="session")
def evident(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with everything that controls, probes and loops leave in it."""
    copy = tmp_path_factory.mktemp("evident") / "results"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("index.html", "table.md", "figures"))
    return evidence_files.write_evidence(copy)


@pytest.fixture(scope="session")
def evident_page(evident: Path) -> Path:
    return report.build(evident)
