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
# # 1. Hear and see the data
#
# demix learns from songs of which it has the parts: **vocals, drums, bass** and **other**, called *stems*. This page
# plays the songs that ship with the project, measures them, and shows what a net hears of them while it trains, which
# is rarely a song.
#
# *To run it:* in a checkout of demix, `pip install -e ".[compare,notebooks]"`, then open this file in VS Code, or in
# Jupyter (`pip install jupyterlab`, `jupyter lab`). It needs no GPU and no network, and about 20 seconds.

# %%
import io
import tempfile
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch
from IPython.display import Audio, Markdown, display

from demix.config import SAMPLE_RATE, STEMS, Augment, Data
from demix.data import open_dataset
from demix.data.segments import draw_batch, open_pool, segment_samples, take
from demix.data.store import open_store, prepare
from demix.spectral import STFT
from demix.training.render import render, split

COLOURS = {"vocals": "#0072B2", "drums": "#D55E00", "bass": "#009E73", "other": "#CC79A7"}  # Okabe and Ito
MARKERS = {"vocals": "o", "drums": "s", "bass": "^", "other": "D"}
plt.rcParams.update({"figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})


def listen(sounds):
    """Show a player for every name and its `(channels, samples)`: MP3, so that a saved notebook stays small."""
    full_scale = max(1.0, *(float(np.abs(sound).max()) for sound in sounds.values()))  # one volume for all
    for name, sound in sounds.items():
        file = io.BytesIO()
        soundfile.write(file, sound.T / full_scale, SAMPLE_RATE, format="MP3")
        player = Audio(file.getvalue())
        player.mimetype = "audio/mpeg"
        display(Markdown(f"**{name}**"), player)


# %% [markdown]
# ## Seven songs
#
# They are excerpts of one album under CC0 ("everything is free" by Software-Entwicklungskit). A data set divides its
# songs by what they may be used for: a net learns from `train`, its best weights are chosen on `valid`, and `test` is
# touched once, at the end. Nothing is ever chosen on `test`, or the score would be of our choices and not of the net.

# %%
tracks = open_dataset("free")
for track in tracks:
    print(f"{track.name:<10} {track.split:<6} files: {', '.join(sorted(path.stem for path in track.paths))}")

# %% [markdown]
# ## One song, taken apart
#
# A song is an array with the axes `(stems, channels, samples)`. Here the mixture is the sum of the stems, sample by
# sample. That is the whole task: given the sum, find the four numbers that it came from.

# %%
song = next(track for track in tracks if track.name == "potassium")
stems, mixture = song.load()
print(f"{song.name}: {stems.shape}, {stems.shape[-1] / SAMPLE_RATE:.0f} s at {SAMPLE_RATE} Hz")
print(f"largest difference between the mixture and the sum of the stems: {np.abs(mixture - stems.sum(axis=0)).max():g}")

# %%
part = slice(0, 5 * SAMPLE_RATE)  # its first seconds, in which all four sound
listen({"mixture": mixture[:, part], **{stem: stems[index, :, part] for index, stem in enumerate(STEMS)}})

# %% [markdown]
# The same five seconds as spectrograms: time to the right, frequency upwards, bright is loud. **Drums are vertical
# lines**, short in time and wide in frequency. **The bass is a few horizontal lines at the bottom.** Vocals are lines
# that bend, with breath and consonants between them. Where two stems share a point of this plane, no net can cut them
# apart with certainty: it has to guess from what is around.

# %%
stft = STFT()  # windows of 4096 samples (93 ms), every 1024 samples (23 ms)
hertz = np.arange(stft.bins) * SAMPLE_RATE / stft.n_fft
rows = np.unique(np.geomspace(3, 1500, 200).astype(int))  # of a picture: bins, closer together at the bottom


def draw_spectrogram(axes, waveform, title):
    """Draw `(channels, samples)` in dB on a logarithmic frequency axis; 0 dB is the loudest point of the mixture."""
    magnitude = np.abs(stft.forward(waveform)).mean(axis=0)
    level_db = 20 * np.log10(np.maximum(magnitude, 1e-6) / loudest)
    seconds = np.arange(magnitude.shape[-1]) * stft.hop_length / SAMPLE_RATE
    picture = axes.pcolormesh(seconds, hertz[rows], level_db[rows], vmin=-70, vmax=0, cmap="magma")
    axes.set(title=title, yscale="log", ylim=(hertz[rows[0]], 16_000))
    axes.set_yticks([50, 200, 1000, 5000, 15_000], ["50", "200", "1k", "5k", "15k"])
    return picture


loudest = np.abs(stft.forward(mixture[:, part])).mean(axis=0).max()
figure, grid = plt.subplots(2, 2, figsize=(10, 6), sharex=True, sharey=True)
for index, (stem, axes) in enumerate(zip(STEMS, grid.flat, strict=True)):
    picture = draw_spectrogram(axes, stems[index, :, part], stem)
figure.supxlabel("time, s")
figure.supylabel("frequency, Hz")
figure.colorbar(picture, ax=grid, label="dB, 0 = loudest point of the mixture")
figure.suptitle(f"{song.name}: drums stand upright, the bass lies at the bottom")
plt.show()

# %% [markdown]
# ## Most of the energy is at the bottom
#
# The score that the nets are judged by, SDR, counts energy. So it matters where the energy is: the next figure adds
# it up from the lowest frequency to the highest. A spectrum has 2049 bins of equal width, and what decides the score
# lies in few of them (here drums, hi-hats, are the exception). This is why both nets look at *bands* that are narrow
# at the bottom and wide at the top.

# %%
figure, axes = plt.subplots(figsize=(8, 3.6))
lines = {"mixture": ("#000000", mixture), **{stem: (COLOURS[stem], stems[index]) for index, stem in enumerate(STEMS)}}
half_hz = {}
for name, (colour, waveform) in lines.items():
    energy = np.cumsum((np.abs(stft.forward(waveform[:, part])) ** 2).sum(axis=(0, 2)))
    half_hz[name] = hertz[np.searchsorted(energy, energy[-1] / 2)]
    axes.plot(hertz[1:], 100 * energy[1:] / energy[-1], color=colour, label=name)
axes.axvline(500, color="#77777d", linewidth=0.8)
axes.text(530, 25, f"left of here are {100 * np.mean(hertz < 500):.1f} % of the bins", color="#5b5b62")
axes.set(xscale="log", xlim=(20, 20_000), xlabel="frequency, Hz", ylabel="energy up to there, %")
axes.set_title(f"{song.name}: half of the mixture's energy lies below {half_hz['mixture']:.0f} Hz")
figure.legend(loc="outside right center", frameon=False)
plt.show()
print("half of the energy lies below", ", ".join(f"{name} {half:.0f} Hz" for name, half in half_hz.items()))

# %% [markdown]
# ## How loud, and how often silent
#
# `prepare` decodes songs once, into files that NumPy reads at once, and notes every stem's level and its share of
# silent seconds (under −60 dBFS). Training reads these files. Here they go into a temporary folder.

# %%
store = Path(tempfile.mkdtemp())
prepare(tracks, store)
stored = open_store(store)

figure, (levels, silence) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for index, stem in enumerate(STEMS):
    places = np.arange(len(stored)) + 0.16 * (index - 1.5)
    sounding = [track.rms_db[index] for track in stored]
    levels.plot(sounding, places, MARKERS[stem], color=COLOURS[stem], label=stem)
    silence.barh(places, [100 * track.silent_share[index] for track in stored], height=0.16, color=COLOURS[stem])
levels.set(xlabel="level over the whole song, dBFS", title="no dot: the song has no such stem")
levels.set_yticks(range(len(stored)), [f"{track.name} ({track.split})" for track in stored])
levels.invert_yaxis()
silence.set(xlabel="silent seconds, %", title="stems rest, the bass most of all", xlim=(0, 100))
figure.legend(*levels.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
plt.show()

# %% [markdown]
# Three of the seven songs have no bass at all, and in most of the test song it rests. Two consequences:
#
# - A stem that is silent in a whole song has **no SDR** (there is no signal whose share could be measured). Tables
#   leave it out instead of inventing a number.
# - What a net learns about basses, it learns from **two** songs. Whatever it does on other basses is luck.
#
# ## The same sound under two names
#
# Labels are made by people. Two stems of one song should differ, so where their samples run in parallel (a
# correlation far from 0), somebody should listen. The loop below looks at every second of every song.

# %%
named = 0
for track in stored:
    seconds = track.samples // SAMPLE_RATE
    audio = track.audio()[: len(STEMS), :, : seconds * SAMPLE_RATE].astype(np.float32) * track.scale
    audio = audio.reshape(len(STEMS), 2, seconds, SAMPLE_RATE)
    energy = np.einsum("scnt,scnt->sn", audio, audio)
    for first, second in combinations(range(len(STEMS)), 2):
        both = (energy[[first, second]] > 1e-3).all(axis=0)
        product = np.einsum("cnt,cnt->n", audio[first], audio[second])[both]
        alike = np.flatnonzero(both)[np.abs(product) > 0.5 * np.sqrt(energy[first] * energy[second])[both]]
        if alike.size:
            named += 1
            print(f"{track.name}: {STEMS[first]} and {STEMS[second]} are alike in {alike.size} of {both.sum()} seconds")
            print(f"  the first at {alike[0]} s, the last at {alike[-1]} s")
print(f"{named} songs with two stems that are alike somewhere")

# %% [markdown]
# Until November 2026 it named Rubidium, a **training** song: from 223 to 251 s of the original, `vocals` and `other`
# are one and the same sound, and the cut that ships had 24 of these seconds. It was cut anew (`songs/make_cut.py`). A
# net cannot tell apart what is the same, and nets that are trained on it are punished for any answer but "half each".
# With so few songs that is not a detail, and no score would have shown it.
#
# ## What a net hears while it trains
#
# Few songs are the great problem of this field, and the best remedy known is to make new ones (Uhlich et al. 2017):
# take each stem from its own song and moment, change its loudness and pitch, exchange left and right, and add them
# up. Musically that is nonsense, but the stems stay what they are. Three of four training segments are made so.
#
# `draw_batch` draws the recipe, `take` reads the samples, `render` makes the segments on the device that trains.

# %%
data, augment = Data(segment_seconds=4.0, batch_size=6), Augment()
pool = open_pool([track for track in stored if track.split == "train"], segment_samples=segment_samples(data))
names = [track.name for track in stored if track.split == "train"]
draws = draw_batch(pool, data=data, settings=augment, seed=0, step=0)

for item in range(data.batch_size):
    print(f"segment {item}: {'as it was mixed' if len(set(draws.start[item])) == 1 else 'remixed'}")
    for index, stem in enumerate(STEMS):
        if not draws.length[item, index]:
            print(f"  {stem:<7} rests")
            continue
        semitones = 12 * np.log2(draws.length[item, index] / segment_samples(data))
        begin = draws.start[item, index] / SAMPLE_RATE
        print(f"  {stem:<7} {names[draws.song[item, index]]:<10} from {begin:4.1f} s, {semitones:+5.1f} semitones")

# %%
pieces = split(torch.from_numpy(take(pool, draws)), draws)
batch = render(pieces, draws, samples=segment_samples(data), device=torch.device("cpu")).numpy()
print(f"{batch.shape}: segments, stems, channels, samples")
listen({f"segment {item}": batch[item].sum(axis=0) for item in range(4)})

# %% [markdown]
# A batch depends on the songs, the settings, the seed and the number of the step, and on **nothing else**. Two nets
# that are trained with one seed hear the same batches in the same order, so a difference between them is not one of
# luck with the data. (It may still be luck with the weights they began with: notebook 4.)

# %%
again = draw_batch(pool, data=data, settings=augment, seed=0, step=0)
other = draw_batch(pool, data=data, settings=augment, seed=1, step=0)
print("same seed, same step, same recipe: ", np.array_equal(draws.start, again.start))
print("other seed, same step, same recipe:", np.array_equal(draws.start, other.start))

# %% [markdown]
# **To try:** set `Augment(remix=0.0)` and listen to what the net would hear without remixing; raise `rest`; or open
# MUSDB18 with `open_dataset("musdb18")` after `demix data download musdb18`, and look at its silence. Next: [what
# masks do](2_what_masks_do.ipynb).
