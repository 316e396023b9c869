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
# # 5. Bring your own song
#
# Put the path of a song into the second cell and run the page: it separates some seconds of it with both nets on
# board, plays the stems, saves them, and shows what the two knobs of separating do (length and overlap of the
# chunks). No PyTorch is needed for this.
#
# Expect stems that bleed: the nets on board have learned from five songs and two hundred generated ones, for half an
# hour of two processor cores. Nets that you train (`demix compare`) go in by the name of their run folder.
#
# *To run it:* in a checkout of demix, `pip install -e ".[compare,notebooks]"`, then open this file in VS Code, or in
# Jupyter (`pip install jupyterlab`, `jupyter lab`). It needs no GPU and no network, and about 15 seconds.

# %%
import io
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import soxr
from IPython.display import Audio, Markdown, display

from demix import audio, load
from demix.config import SAMPLE_RATE, STEMS
from demix.data import open_dataset
from demix.metrics import sdr

COLOURS = ("#0072B2", "#BD5100", "#8A6D00", "#B0307A")  # one per model, as in the report
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


# %%
SONG = None  # "path/to/song.mp3": anything that FFmpeg reads; None: a song that ships with demix
START_SECONDS, SECONDS = 70, 6  # which part of it
MODELS = ("unet", "vit")  # on board; or a run folder, "../checkpoints/free-tiny-vit", or an .onnx file
SAVE_TO = None  # a folder; None: a temporary one

# %% [markdown]
# ## The song
#
# The nets know 44.1 kHz and two channels, so other songs are resampled, and of mono both channels are the same. For
# whole files of any form `demix.separate("song.mp3")` does all this block by block; here we want the arrays in hand.

# %%
truth = None  # only known for the song that ships
if SONG is None:
    track = next(track for track in open_dataset("free") if track.split == "test")
    truth, whole = track.load()
    name = track.name
else:
    whole, rate = audio.read(Path(SONG))
    whole = np.resize(whole[:2], (2, whole.shape[1]))  # mono twice; of more channels the first two
    whole = soxr.resample(whole.T, rate, SAMPLE_RATE).T if rate != SAMPLE_RATE else whole
    name = Path(SONG).stem

part = slice(START_SECONDS * SAMPLE_RATE, (START_SECONDS + SECONDS) * SAMPLE_RATE)
mixture = np.ascontiguousarray(whole[:, part], np.float32)
if not mixture.shape[1]:
    raise ValueError(f"{name} has {whole.shape[1] / SAMPLE_RATE:.0f} s; choose a START_SECONDS before its end")
print(f"{name}: {whole.shape[1] / SAMPLE_RATE:.0f} s, of which {mixture.shape[1] / SAMPLE_RATE:.1f} s are separated")
listen({"mixture": mixture})

# %% [markdown]
# ## Separate
#
# `load` gives a `Separator`; its `separate` takes `(channels, samples)` and gives the stems by name. They add up to
# the mixture, so what is missing in one stem is in another.

# %%
separators = {model: load(model) for model in MODELS}
stems = {}
for model, separator in separators.items():
    began = time.perf_counter()
    stems[model] = separator.separate(mixture)
    spent = time.perf_counter() - began
    print(
        f"{Path(model).name:<6} chunks of {separator.chunk_seconds:g} s, {SECONDS / spent:.0f} times as fast as playing"
    )
total = sum(stems[MODELS[0]].values())
print(f"sum of the stems less the mixture: {20 * np.log10(np.abs(total - mixture).max() + 1e-12):.0f} dBFS")

# %%
for stem in STEMS:
    listen({f"{stem}, {Path(model).name}": stems[model][stem] for model in MODELS})

# %% [markdown]
# ## Compare the models
#
# Without the true stems nobody can say which model is better; one can only see where they **disagree**. The picture
# shows each stem's level over time by every model. Where the lines part, listen.


# %%
def level_db(waveform, step=0.1):
    """Return the level of every tenth of a second in dBFS."""
    size = round(step * SAMPLE_RATE)
    pieces = waveform[:, : waveform.shape[1] // size * size].reshape(2, -1, size)
    return 10 * np.log10((pieces**2).mean(axis=(0, 2)) + 1e-8)


figure, panels = plt.subplots(len(STEMS), 1, figsize=(9, 6.4), sharex=True, sharey=True)
for index, (axes, stem) in enumerate(zip(panels, STEMS, strict=True)):
    lines = {Path(model).name: level_db(stems[model][stem]) for model in MODELS}
    for place, (label, line) in enumerate(lines.items()):
        times = START_SECONDS + 0.05 + 0.1 * np.arange(line.size)
        axes.plot(times, line, color=COLOURS[place], linestyle=("-", "--", "-.", ":")[place], label=label)
    if truth is not None:
        axes.plot(times, level_db(truth[index][:, part]), color="black", linewidth=0.8, alpha=0.6, label="true stem")
    apart = np.abs(np.subtract(*list(lines.values())[:2])).mean() if len(lines) > 1 else 0
    axes.set(title=f"{stem}: the models are {apart:.1f} dB apart on average", ylim=(-70, 0))
panels[-1].set_xlabel("time in the song, s")
figure.supylabel("level, dBFS")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %% [markdown]
# ## Chunks and their overlap
#
# A net does not get the song at once but in chunks, each faded into the next. Two knobs: **`chunk_seconds`**, how
# much it hears at a time (by default what it was trained with), and **`overlap`**, the share that two chunks have in
# common: more hides the seams and takes longer. Where a short chunk scores no worse, the net makes no use of what is
# farther away.
#
# For the song that ships, the true stems tell what they do to `sdr`; for yours, how far the stems move from the
# default.


# %%
def separate_with(**knobs):
    """Separate with the first model and changed knobs: stems as an array, and the seconds it took."""
    began = time.perf_counter()
    parts = replace(separators[MODELS[0]], **knobs).separate(mixture)
    return np.stack([parts[stem] for stem in STEMS]), time.perf_counter() - began


default, _ = separate_with()
reference = default if truth is None else truth[..., part]
knobs = [("chunk_seconds", value) for value in (0.5, 1.5, 3.0, 6.0)] + [
    ("overlap", value) for value in (0.0, 0.5, 0.75)
]
print("sdr against", "the true stems" if truth is not None else "the stems of the default", "- mean of the stems")
for knob, value in knobs:
    estimate, spent = separate_with(**{knob: value})
    print(f"{knob:<14} {value:<5g} {np.nanmean(sdr(reference, estimate)):6.2f} dB, took {spent:.2f} s")

# %% [markdown]
# Without any overlap, chunks meet at a hard seam, and what the net thought of the sound on its two sides need not
# agree. The next picture zooms in on the first seam, in the stem that jumps most there: the stem without overlap and
# with the default, each less the one with much overlap.

# %%
smooth, _ = separate_with(overlap=0.75)
seam = round(separators[MODELS[0]].chunk_seconds * SAMPLE_RATE)
shown = slice(seam - 300, seam + 300)
if seam + 300 < mixture.shape[1]:
    trials = {overlap: separate_with(overlap=overlap)[0] - smooth for overlap in (0.0, 0.25)}
    jumps = np.abs(np.diff(trials[0.0][:, 0, seam - 1 : seam + 1])).squeeze()
    stem = int(jumps.argmax())
    figure, axes = plt.subplots(figsize=(9, 3))
    milliseconds = (np.arange(600) - 300) / SAMPLE_RATE * 1000
    for (overlap, away), colour, style in zip(trials.items(), ("#D55E00", "#0072B2"), "-:", strict=True):
        axes.plot(milliseconds, away[stem, 0, shown], style, color=colour, label=f"overlap {overlap:g}")
    axes.axvline(0, color="#77777d", linewidth=0.8)
    axes.set(xlabel="time from the seam, ms", ylabel="sample value less that\nof overlap 0.75")
    axes.set_title(
        f"{STEMS[stem]}: without overlap the stem jumps by {jumps[stem]:.4f} of full scale from one sample to the next"
    )
    figure.legend(loc="outside right center", frameon=False)
    plt.show()

# %% [markdown]
# ## Save
#
# Wav files, one for each stem and model, at 32-bit float, so that nothing clips.

# %%
folder = Path(tempfile.mkdtemp() if SAVE_TO is None else SAVE_TO)
for model in MODELS:
    for stem, waveform in stems[model].items():
        path = folder / Path(model).name / f"{name}-{stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, waveform, sample_rate=SAMPLE_RATE, subtype="FLOAT")
print("\n".join(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav"))))

# %% [markdown]
# For whole songs, folders of songs, other rates and formats: `demix separate album/ -o stems --mp3`, or a page to
# listen with, `demix serve`.
#
# **To try:** a song with a clear voice and little else; a `chunk_seconds` of 20; a net of your own, after `make
# compare`, as `MODELS = ("vit", "../checkpoints/free-tiny-vit")`.
