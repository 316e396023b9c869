# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version,-kernelspec.path
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Reading the results
#
# "The ViT is 0.4 dB better." On which songs? With which seed? Would it be so again? This page trains two nets twice,
# for seconds, scores them, and reads the files that every demix comparison writes, with nothing but `csv` and NumPy.
# The nets are far too small and the music too short to learn anything about architectures. That makes them good to
# practise on: **whatever difference shows up here must not be believed**, and the numbers should say so.
#
# *To run it:* in a checkout of demix, `pip install -e ".[compare,notebooks]"`, then open this file in VS Code, or in
# Jupyter (`pip install jupyterlab`, `jupyter lab`). It needs no GPU and no network, and about 25 seconds.

# %%
import csv
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from demix.config import SAMPLE_RATE, STEMS, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.evaluation.evaluate import evaluate
from demix.evaluation.power import minimum_detectable, songs_needed
from demix.evaluation.scores import read_seconds
from demix.evaluation.statistics import paired_differences
from demix.training.loop import train

COLOURS = {"unet": "#0072B2", "vit": "#BD5100"}  # as in the report; Okabe and Ito
plt.rcParams.update({"figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## Two nets, two seeds, five songs
#
# To have five songs to score, this page learns from one song and divides the others anew, and takes a few seconds of
# each. (Rubidium, Caesium, Francium and Hydrogen are training songs everywhere else.)

# %%
SPLITS = {"potassium": "train", "sodium": "valid"}  # all others: test


def cut(track, seconds, start=20):
    """Return the same song, but only some seconds of it and in the split of this page."""

    def read():
        stems = np.zeros((len(STEMS), 2, seconds * SAMPLE_RATE), np.float32)
        for path in track.paths:
            piece, _ = soundfile.read(path, start=start * SAMPLE_RATE, frames=stems.shape[-1], dtype="float32")
            stems[STEMS.index(path.stem)] = piece.T
        return stems, None

    return replace(track, split=SPLITS.get(track.name, "test"), read=read)


tracks = [cut(track, seconds=30 if track.name == "potassium" else 5) for track in open_dataset("free")]
folder = Path(tempfile.mkdtemp())
prepare([track for track in tracks if track.split != "test"], folder / "store")

NANO = ["model.options.bands=64", "model.options.head_maps=2", "model.options.head_width=4", "data.segment_seconds=1.0"]
NANO += ["data.batch_size=2", "training.steps=16", "training.valid_every=16", "training.warmup_steps=3"]
SIZES = {
    "unet": ["model.options.widths=[16,24,32]"],
    "vit": ["model.options.embed_dim=48", "model.options.depth=2", "model.options.num_heads=4"],
}
for seed in (0, 1):
    for net, size in SIZES.items():
        settings = load_config(
            None, [f"model.name={net}", f"training.seed={seed}", "training.device=cpu", *NANO, *size]
        )
        end = train(settings, folder / f"{net}-{seed}", tracks=open_store(folder / "store"))
        print(f"{net}-{seed}: {end.step} steps, {end.best_sdr:.2f} dB sdr on the validation song")

# %% [markdown]
# Both nets saw the same batches in the same order; the seed decides those and the first weights. `evaluate` lets all
# four, and the rules that learn nothing, separate the same songs, and writes a results folder.

# %%
test = [track for track in tracks if track.split == "test"]
runs = [folder / f"{net}-{seed}" for seed in (0, 1) for net in SIZES]
results = evaluate(runs, test, folder / "results", dataset="cuts", licence="CC0 1.0", device="cpu")
for path in sorted(results.glob("*.csv")):
    print(f"{path.name:<20} {len(path.read_text().splitlines()) - 1:>5} rows")

# %% [markdown]
# ## scores.csv
#
# One row for every system, song, stem and metric. An empty value is *undefined*: that song has no such stem.

# %%
with (results / "scores.csv").open() as file:
    rows = list(csv.DictReader(file))
print(rows[0])

songs = [track.name for track in test]
scores = defaultdict(lambda: np.full((len(songs), len(STEMS)), np.nan))  # system -> (songs, stems) in dB
for row in rows:
    if row["metric"] == "sdr" and row["value"]:
        scores[row["system"]][songs.index(row["track"]), STEMS.index(row["stem"])] = float(row["value"])

print(f"\nmean sdr over the songs, dB{'':<5}" + "".join(f"{stem:>9}" for stem in STEMS) + "     mean")
for system, values in scores.items():
    of_stems = np.nanmean(values, axis=0)
    print(f"{system:<30}" + "".join(f"{value:9.2f}" for value in (*of_stems, of_stems.mean())))
counts = np.isfinite(scores["unet-0"]).sum(axis=0)
print(f"{'songs with a score':<30}" + "".join(f"{count:9d}" for count in counts))

# %% [markdown]
# ## seconds.csv
#
# The energies of the true stem and of the error in every second, from which any score can be made again: for a part
# of a song, for other songs, or by another formula. `sdr` is ten times the logarithm of their ratio, summed over the
# song.

# %%
with (results / "seconds.csv").open() as file:
    seconds = [row for row in csv.DictReader(file) if row["system"] == "vit-0" and row["track"] == "lithium"]
drums = [row for row in seconds if row["stem"] == "drums"]
reference, error = (np.array([float(row[key]) for row in drums]) for key in ("reference_energy", "error_energy"))
again = 10 * np.log10((reference.sum() + 1e-7) / (error.sum() + 1e-7))
print(f"drums of lithium by vit-0: {again:.6f} dB from the seconds,", end=" ")
print(f"{scores['vit-0'][songs.index('lithium'), STEMS.index('drums')]:.6f} dB in scores.csv")
print("second by second:", ", ".join(f"{value:.1f}" for value in 10 * np.log10(reference / error)), "dB")

# %% [markdown]
# ## Songs differ more than nets
#
# Each line is a song. If one compared the two clouds of points, nothing could be seen: songs are that different. But
# the question is about the **slopes**, the same song under both nets. What makes a song hard cancels in the
# difference.

# %%
of_songs = {system: np.nanmean(values, axis=1) for system, values in scores.items()}  # mean of the stems
difference = of_songs["vit-0"] - of_songs["unet-0"]
figure, (slopes, bars) = plt.subplots(1, 2, figsize=(10, 3.8))
for song, first, second in zip(songs, of_songs["unet-0"], of_songs["vit-0"], strict=True):
    slopes.plot([0, 1], [first, second], "-o", color="#6b6b70")
    slopes.annotate(song, (1, second), xytext=(6, -3), textcoords="offset points")
slopes.set_xticks([0, 1], ["U-Net", "ViT"])
slopes.set(xlim=(-0.2, 1.5), ylabel="sdr, mean of the stems, dB")
slopes.set_title(f"songs spread over {np.ptp(of_songs['vit-0']):.1f} dB")
bars.barh(songs, difference, color=np.where(difference > 0, COLOURS["vit"], COLOURS["unet"]))
bars.axvline(0, color="black", linewidth=0.8)
bars.set(
    xlabel="ViT - U-Net, dB (to the right: ViT ahead)", title=f"their differences over {np.ptp(difference):.1f} dB"
)
plt.show()

unpaired = np.sqrt(sum(of_songs[f"{net}-0"].var(ddof=1) for net in SIZES) / len(songs))
paired = difference.std(ddof=1) / np.sqrt(len(songs))
print(f"difference {difference.mean():+.2f} dB; standard error if songs were not paired {unpaired:.2f} dB,", end=" ")
print(f"paired {paired:.2f} dB")

# %% [markdown]
# ## A difference has an interval
#
# `paired_differences` draws songs with replacement (bootstrap), as if other songs of this kind had been scored, and
# gives an interval that holds the true difference in 95 of 100 such studies. With five songs it is wide, and it has
# to be. **If it holds 0, the answer is "cannot tell"**: not "they are equal", and not "the one with the larger mean".
#
# (It averages the songs of each stem first and then the stems, as tables do; above it was the other way round. With
# songs that lack a stem the two differ a little.)

# %%
energies = read_seconds(results / "seconds.csv")


def compare(first, second):
    """Return the paired difference of two systems, mean of the stems, and print it with its verdict."""
    found = paired_differences(energies, first, second)["mean"]
    verdict = (
        "cannot tell" if found.low_db <= 0 <= found.high_db else f"{first if found.low_db > 0 else second} is better"
    )
    print(f"{first:<7} - {second:<7} {found.difference_db:+.2f} dB, 95 % interval {found.low_db:+.2f} to", end=" ")
    print(f"{found.high_db:+.2f}, ahead on {found.wins} of {found.songs} {found.unit}: {verdict}")
    return found


pairs = [("vit-0", "unet-0"), ("vit-1", "unet-1"), ("unet-1", "unet-0"), ("vit-1", "vit-0"), ("vit-0", "mixture")]
found = {f"{first} - {second}": compare(first, second) for first, second in pairs}

# %%
figure, axes = plt.subplots(figsize=(8, 3))
shown = list(found.items())[:-1]  # the mixture is far off
for place, (name, one) in enumerate(shown):
    nets = {part.split("-")[0] for part in name.split(" - ")}
    colour = "#000000" if len(nets) == 2 else COLOURS[nets.pop()]
    axes.plot([one.low_db, one.high_db], [place, place], color=colour)
    axes.plot(one.difference_db, place, "o", color=colour)
axes.axvline(0, color="#77777d", linewidth=0.8)
axes.set_yticks(range(len(shown)), [name for name, _ in shown])
axes.invert_yaxis()
axes.set(xlabel="difference in sdr, dB, with its 95 % interval over songs")
seeds = max(abs(found[f"{net}-1 - {net}-0"].difference_db) for net in SIZES)
axes.set_title(f"The same net with another seed: up to {seeds:.2f} dB apart")
plt.show()

# %% [markdown]
# ## Two kinds of chance
#
# The lower two rows compare a net **with itself**, trained once more with another seed. Such a difference says
# nothing on architectures, and yet its interval may leave out 0: an interval over songs knows that there are other
# songs, and not that there are other trainings. So nets are trained several times, each seed of one net is paired
# with the same seed of the other (they saw the same batches), and the interval has to cover both kinds of chance.

# %%
pooled = paired_differences(energies, ["vit-0", "vit-1"], ["unet-0", "unet-1"])["mean"]
print(f"ViT - U-Net over {pooled.songs} songs and {pooled.seeds} seeds: {pooled.difference_db:+.2f} dB,", end=" ")
print(f"95 % interval {pooled.low_db:+.2f} to {pooled.high_db:+.2f}")
print(
    f"spread of the true differences over songs {pooled.song_sd:.2f} dB, over seeds {pooled.seed_sd:.2f} dB,", end=" "
)
print(f"of the rest {pooled.rest_sd:.2f} dB")
print(f"smallest difference that such a study finds four times in five: {pooled.detectable_db:.1f} dB")

# %% [markdown]
# Two seeds are far too few. The interval may come out narrow or wide by luck, because the spread between seeds is
# itself hardly known from two of them; the last line says what to expect of such a study, before it is made. Three
# seeds are the least that a comparison here is made with.
#
# ## How many songs and seeds would be enough?
#
# With the spreads found here one can plan. Each line below is a number of seeds. More songs push it down, but only so
# far: with few seeds **the songs of the whole world do not average the seeds away**.

# %%
spreads = {"song_sd": pooled.song_sd, "seed_sd": pooled.seed_sd, "rest_sd": pooled.rest_sd}
counts = (5, 10, 20, 50, 100, 200)
figure, axes = plt.subplots(figsize=(8, 3.6))
for seeds, colour, marker in zip((3, 5, 10), ("#0072B2", "#BD5100", "#00805F"), "osD", strict=True):
    least = [minimum_detectable(songs=songs, seeds=seeds, **spreads) for songs in counts]
    axes.plot(counts, least, marker=marker, color=colour, label=f"{seeds} seeds")
axes.axhline(0.3, color="#77777d", linestyle="--", label="0.3 dB")
axes.set(xscale="log", yscale="log", xlabel="songs", ylabel="smallest difference found, dB")
axes.set_xticks(counts, counts)
axes.set_yticks([0.1, 0.3, 1, 3, 10], [0.1, 0.3, 1, 3, 10])
axes.minorticks_off()
figure.legend(loc="outside right center", frameon=False)
needed = songs_needed(0.3, seeds=5, **spreads)
if needed is None:
    axes.set_title("With 5 seeds, no number of songs is enough to find 0.3 dB")
else:
    axes.set_title(f"With 5 seeds, it takes {needed} songs to find 0.3 dB")
plt.show()

# %% [markdown]
# ## A list for reading any table of results
#
# - Which SDR is it: `sdr` over the whole song, or `sdr_bsseval` (median of seconds)? They are not comparable.
# - Is the difference paired, and over how many **songs**? Seconds of one song are not independent of each other.
# - How many **seeds** per net, and were settings chosen on the songs that are scored?
# - Is the interval beside the difference, and does it hold 0?
# - Where is the floor (`mixture`, `equal`) and where the ceiling (`oracle`)?
#
# **To try:** `training.steps=200` (a few minutes) and see whether the verdict changes; open the results folder of a
# real comparison instead: `results = Path("../results/free-tiny")` after `demix compare`. Next: [bring your own
# song](5_bring_your_own_song.ipynb).
