"""The files that controls, probes and loops leave in a results folder, as far as the report reads them.

Bands, levels and attention are computed from the folder's excerpt; the rest is made up, each with an effect that the
tests look for. Nothing here is a measurement of a net.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from demix.config import SAMPLE_RATE, STEMS
from demix.evaluation.scores import ScoreRow, SecondRow, write_scores, write_seconds
from demix.spectral import STFT

RADII = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
REACH_SECONDS = {"unet": 0.4, "vit": 1.6}  # a curve falls to a third within this
BAND_EDGES = (0, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 22050)
LEVEL_EDGES = (-np.inf, -20, -10, 0, 10, np.inf)
CONDITIONS = ("exact", "varied", "never")
SECONDS = 24
CONTROLS = (  # group, label, of, aspect, sdr above the plain net
    ("unet", "U-Net", "unet", "segment length", 0.0),
    ("vit", "ViT", "vit", "segment length", 0.0),
    ("vit-window-0.5s", "ViT, time attention ±0.5 s", "vit", "attention window", -0.6),
    ("vit-window-1s", "ViT, time attention ±1 s", "vit", "attention window", -0.02),
    ("vit-window-2s", "ViT, time attention ±2 s", "vit", "attention window", 0.01),
    ("vit-no-positions", "ViT, no positions", "vit", "positions", -0.03),
    ("unet-dilated", "U-Net, dilated bottleneck", "unet", "bottleneck", 0.4),
    ("unet-attention", "U-Net, attention bottleneck", "unet", "bottleneck", 0.02),
    ("vit-patch-tall", "ViT, patches of 16 bands × 8 frames", "vit", "patch shape", -0.5),
    ("vit-segment-1.5s", "ViT, segments of 1.5 s", "vit", "segment length", -0.7),
    ("unet-segment-1.5s", "U-Net, segments of 1.5 s", "unet", "segment length", -0.01),
    ("vit-segment-12s", "ViT, segments of 12 s", "vit", "segment length", 0.02),
    ("unet-segment-12s", "U-Net, segments of 12 s", "unet", "segment length", 0.02),
)
SEGMENT_SECONDS = {"1.5s": 1.5, "12s": 12.0}


def write_evidence(folder: Path) -> Path:
    """Add everything that the evidence's sections read to a results folder with the nets `unet` and `vit`."""
    facts = json.loads((folder / "results.json").read_text())
    tracks = facts["dataset"]["test"]
    write_controls(folder / "controls", facts)
    write_loops(folder / "loops", facts)
    write_chunks(folder / "chunks.csv", tracks)
    write_context(folder / "probes", tracks)
    write_field(folder / "probes")
    write_attention(folder, facts["excerpt"])
    write_spectral(folder, tracks)
    write_repetition(folder / "probes" / "repetition.csv", facts)
    return folder


def write_csv(path: Path, columns: str, rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def write_scored(
    folder: Path,
    facts: Mapping,
    entries: Sequence[Mapping],
    sdr: Mapping[tuple[str, str], Mapping],
    *,
    scatter_db: float = 1.0,
) -> None:
    """Write a small results folder: (system, track) -> stem -> sdr in dB, around which the seconds scatter."""
    folder.mkdir(parents=True, exist_ok=True)
    tracks = list(dict.fromkeys(track for _, track in sdr))
    data = facts["dataset"] | {"test": tracks, "test_minutes": len(tracks) * SECONDS / 60}
    (folder / "results.json").write_text(json.dumps({**facts, "dataset": data, "systems": list(entries)}))
    scores, seconds = [], []
    for (system, track), of_stems in sdr.items():
        noise = scatter_db * np.random.default_rng(len(seconds)).standard_normal((len(STEMS), SECONDS))
        for index, stem in enumerate(STEMS):
            errors = 10 ** ((noise[index] - of_stems[stem]) / 10)
            value = 10 * np.log10(SECONDS / errors.sum())
            scores += [ScoreRow(system, track, "test", stem, metric, value) for metric in ("sdr", "sdr_bsseval")]
            seconds += [
                SecondRow(system, track, stem, second, SAMPLE_RATE, 1.0, error, True)
                for second, error in enumerate(errors)
            ]
    write_scores(folder / "scores.csv", scores)
    write_seconds(folder / "seconds.csv", seconds)


def write_controls(folder: Path, facts: Mapping) -> None:
    plain = {entry["name"]: entry for entry in facts["systems"] if entry["kind"] == "net"}
    entries, sdr = [], {}
    for group, label, of, aspect, gain_db in CONTROLS:
        seconds = next((value for end, value in SEGMENT_SECONDS.items() if group.endswith(f"segment-{end}")), 6.0)
        own = {"name": f"{group}-0", "group": group, "label": label, "of": of, "aspect": aspect, "seed": 0}
        entries.append(plain[of] | own | {"segment_seconds": seconds})
        for track in facts["dataset"]["test"]:
            sdr[f"{group}-0", track] = {stem: 4 + index + gain_db for index, stem in enumerate(STEMS)}
    write_scored(folder, facts, entries, sdr)


def write_loops(folder: Path, facts: Mapping, *, gain_db: float = 0.5, bases: int = 6) -> None:
    """Write loops on which the ViT's lead grows by `gain_db` from never to exact, and the U-Net stays."""
    entries = [entry for entry in facts["systems"] if entry["kind"] == "net"]
    rng, sdr, songs = np.random.default_rng(1), {}, []
    for base in range(bases):
        level = 5 + rng.standard_normal()
        for index, condition in enumerate(CONDITIONS):
            track = f"loop-{base}-{condition}"
            songs.append((track, f"base-{base}", f"song {base}", condition, base))
            for entry in entries:
                gain = gain_db * (1 - index / 2) if entry["name"].startswith("vit") else 0.0
                drums = level + gain + 0.1 * rng.standard_normal()
                sdr[entry["name"], track] = dict.fromkeys(STEMS, 4.0) | {"drums": drums}
    write_scored(folder, facts, entries, sdr, scatter_db=0.1)
    write_csv(folder / "songs.csv", "track,base,song,condition,seed", songs)
    (folder / "loops.json").write_text(json.dumps({"made_from": {"settings": {"loop_seconds": 1.0}}}))


def write_chunks(path: Path, tracks: Sequence[str]) -> None:
    rows = [
        (
            name,
            name,
            0,
            seconds,
            track,
            stem,
            5 + (0.4 + 0.02 * index) * np.log2(seconds / 6) * (name == "vit") + 0.1 * index * seconds / 24,
        )
        for name in REACH_SECONDS
        for seconds in (1.5, 3, 6, 12, 24)
        for index, track in enumerate(tracks)
        for stem in STEMS
    ]
    write_csv(path, "system,group,seed,chunk_seconds,track,stem,sdr", rows)


def write_context(folder: Path, tracks: Sequence[str]) -> None:
    rows, listening = [], []
    for name, reach in REACH_SECONDS.items():
        for track_index, track in enumerate(tracks):
            for stem_index, stem in enumerate((*STEMS, "mean")):
                for fill, share in (("song", 1.0), ("silence", 0.6)):
                    far = reach * (1 + 0.2 * stem_index + 0.1 * track_index)
                    for radius in RADII:
                        loss = 4 * share * np.exp(-radius / far)
                        rows.append(
                            (
                                name,
                                name,
                                track,
                                stem,
                                fill,
                                radius,
                                40,
                                6 - loss,
                                loss,
                                loss - 0.3,
                                loss + 0.3,
                                loss / 9,
                            )
                        )
                    listening.append((name, name, track, stem, fill, round(far * np.log(100), 3), int(far > 2)))
    columns = "system,group,track,stem,fill,radius_seconds,frames,sdr_db,loss_db,low_db,high_db,change_share"
    write_csv(folder / "context.csv", columns, rows)
    write_csv(folder / "listening.csv", "system,group,track,stem,fill,radius_seconds,reaches_edge", listening)


def write_field(folder: Path) -> None:
    offsets = np.linspace(-3, 3, 121)
    rows, radii = [], []
    for name, reach in REACH_SECONDS.items():
        share = np.exp(-np.abs(offsets) / (0.3 * reach))
        share /= share.sum()
        rows += [(name, name, f"{offset:.3f}", value) for offset, value in zip(offsets, share, strict=True)]
        radii.append((name, name, 0.9 * reach))
    write_csv(folder / "field.csv", "system,group,offset_seconds,share", rows)
    write_csv(folder / "field_radius.csv", "system,group,radius_seconds", radii)
    heads = [
        ("vit", "vit", layer, head, 0.3 + 0.2 * layer + 0.3 * head, 1.0 + 0.4 * head, 2.0 + head, 0.6 + 0.05 * head)
        for layer in range(4)
        for head in range(4)
    ]
    columns = "system,group,layer,head,mean_seconds,p90_seconds,mean_rows,entropy_share"
    write_csv(folder / "attention.csv", columns, heads)


def read_excerpt(folder: Path, system: str) -> np.ndarray:
    """Read the excerpt's stems of a system, `(stems, channels, samples)`."""
    return np.stack([soundfile.read(folder / "excerpt" / f"{system}-{stem}.flac")[0].T for stem in STEMS])


def spectra_of(folder: Path, system: str) -> np.ndarray:
    """Return energies of the excerpt's stems, `(stems, bins, frames)`."""
    return (np.abs(STFT().forward(read_excerpt(folder, system).astype(np.float32))) ** 2).sum(axis=1)


def write_attention(folder: Path, excerpt: Mapping, *, rows: int = 16, columns: int = 11) -> None:
    """Let every patch of the mixture attend to those that are as loud as it is."""
    energy = spectra_of(folder, "truth").sum(axis=0)
    edges_hz = np.linspace(0, 8000, 4 * rows + 1)
    edges = np.round(edges_hz[::4] * 4096 / SAMPLE_RATE).astype(int)
    bands = np.stack([energy[low:high].mean(axis=0) for low, high in pairwise(edges)])
    times = np.array_split(np.arange(bands.shape[1]), columns)
    level = np.log10(np.stack([bands[:, time].mean(axis=1) for time in times], axis=1) + 1e-6)
    queries = np.array([[2, 3], [9, 7]])
    maps = []
    for row, column in queries:
        map_ = np.exp(-((level - level[row, column]) ** 2))
        maps.append(map_ / map_.sum())
    layers = np.stack([np.roll(maps[0], layer, axis=1) for layer in range(4)])
    probes = folder / "probes"
    fine = np.round(edges_hz * 4096 / SAMPLE_RATE).astype(int)
    level_db = 10 * np.log10(np.stack([energy[low:high].mean(axis=0) for low, high in pairwise(fine)]) + 1e-8)
    arrays = {"vit_maps": np.stack(maps), "vit_query": queries, "vit_layers": layers, "vit_spectrum_db": level_db}
    np.savez_compressed(probes / "attention.npz", **arrays)
    about = {"rows": rows, "columns": columns, "patch_bands": 4, "patch_frames": 8, "hop_length": 1024}
    entry = about | {"band_hz": edges_hz.tolist()}
    where = {"track": excerpt["track"], "start_seconds": excerpt["start_seconds"], "seconds": excerpt["seconds"]}
    (probes / "attention.json").write_text(json.dumps(where | {"systems": {"vit": entry}}))


def write_spectral(folder: Path, tracks: Sequence[str]) -> None:
    """Sum the excerpt's energies over bands, and over seconds and bands by how loud a stem is in them.

    The halves of the excerpt stand for the songs.
    """
    truth = spectra_of(folder, "truth")
    bands, levels = [], []
    for system in REACH_SECONDS:
        wave = read_excerpt(folder, "truth") - read_excerpt(folder, system)
        error = (np.abs(STFT().forward(wave.astype(np.float32))) ** 2).sum(axis=1)
        for track, part in zip(tracks, np.array_split(np.arange(truth.shape[-1]), len(tracks)), strict=True):
            for stem, low, high, own, wrong, rest in cells_of(truth[..., part], error[..., part]):
                if high - low < 22050:
                    bands.append((system, system, track, stem, low, high, own.sum(), wrong.sum()))
                levels += [(system, system, track, *row) for row in binned(stem, low, high, own, wrong, rest)]
    write_csv(
        folder / "probes" / "bands.csv",
        "system,group,track,stem,low_hz,high_hz,reference_energy,error_energy",
        bands,
    )
    columns = "system,group,track,stem,low_hz,high_hz,input_low_db,input_high_db,cells"
    write_csv(folder / "probes" / "levels.csv", f"{columns},reference_energy,error_energy,rest_energy", levels)


def cells_of(truth: np.ndarray, error: np.ndarray) -> Iterator[tuple]:
    """Give the energies of each stem in each band, and in all of them: `stem, low, high, own, error, rest`."""
    edges = [*pairwise(BAND_EDGES), (0, 22050)]
    for index, stem in enumerate(STEMS):
        rest = truth.sum(axis=0) - truth[index]
        for low, high in edges[:-1]:
            bins = slice(*(round(hz * 4096 / SAMPLE_RATE) for hz in (low, high)))
            yield stem, low, high, *(part[bins].sum(axis=0) for part in (truth[index], error[index], rest))
        yield stem, 0, 22050, truth[index].ravel(), error[index].ravel(), rest.ravel()


def binned(stem: str, low: float, high: float, own: np.ndarray, wrong: np.ndarray, rest: np.ndarray) -> list[tuple]:
    level_db = 10 * np.log10((own + 1e-9) / (rest + 1e-9))
    rows = []
    for start, end in pairwise(LEVEL_EDGES):
        inside = (level_db >= start) & (level_db < end)
        if inside.any():
            sums = [part[inside].sum() for part in (own, wrong, rest)]
            rows.append((stem, low, high, start, end, int(inside.sum()), *sums))
    return rows


def write_repetition(path: Path, facts: Mapping) -> None:
    rng, rows = np.random.default_rng(2), []
    for track in facts["dataset"]["test"]:
        for stem in STEMS:
            rows.append((track, stem, 0, 600, 0.5, 40))
            rows += [(track, stem, start, 4, rng.uniform(0.2, 0.9), 2) for start in range(0, 20, 2)]
    write_csv(path, "track,stem,start_seconds,seconds,score,bars", rows)


def without(folder: Path, *names: str) -> Path:
    """Take files or folders out of a results folder."""
    for name in names:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder
