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
# # 2. What masks do
#
# Both nets separate in the same way: they look at the spectrogram of a song and say, for every point of it, which
# share of it belongs to each stem. These shares are a **mask**. This page makes masks by hand and with the help of
# the true stems, plays them, and measures what is the best that a mask can do.
#
# *To run it:* in a checkout of demix, `pip install -e ".[compare,notebooks]"`, then open this file in VS Code, or in
# Jupyter (`pip install jupyterlab`, `jupyter lab`). It needs no GPU and no network, and about 20 seconds.

# %%
import io

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from IPython.display import Audio, Markdown, display
from scipy.special import softmax

from demix import load
from demix.config import SAMPLE_RATE, STEMS
from demix.data import open_dataset
from demix.evaluation.baselines import BASELINES
from demix.metrics import sdr
from demix.models.bands import band_edges
from demix.spectral import STFT

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


def show_scores(rows):
    """Print `sdr` in dB for every name and its estimates `(stems, channels, samples)`."""
    print(" " * 34 + "".join(f"{stem:>8}" for stem in STEMS) + "    mean")
    for name, estimates in rows.items():
        values = sdr(stems, estimates)
        print(f"{name:<34}" + "".join(f"{value:8.2f}" for value in (*values, values.mean())))


songs = {track.name: track for track in open_dataset("free")}
stems = songs["potassium"].stems()[..., : 5 * SAMPLE_RATE]  # five seconds in which all four stems sound
mixture = stems.sum(axis=0)

# %% [markdown]
# ## There and back
#
# The short-time Fourier transform cuts the song into overlapping windows and asks each of them which frequencies it
# has. The answer is complex: a **magnitude** (how much) and a **phase** (where in its swing). Nothing is lost; the
# inverse gives the samples back, but for the rounding of 32-bit numbers.

# %%
stft = STFT(n_fft=4096, hop_length=1024)
spectrum = stft.forward(mixture)
back = stft.inverse(spectrum, samples=mixture.shape[-1])
print(f"{mixture.shape} samples -> {spectrum.shape} points (channels, bins, frames) -> {back.shape} samples")
print(f"error of the round trip: {20 * np.log10(np.abs(back - mixture).max()):.0f} dBFS")

# %% [markdown]
# The length of the window is a choice with a price. A long one tells tones apart that lie close together, and smears
# drum hits over its whole length; a short one does the opposite. 4096 samples (93 ms) is what most separators take.

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
for axes, n_fft in zip(panels, (512, 4096, 16_384), strict=True):
    view = STFT(n_fft, n_fft // 8)
    level_db = 20 * np.log10(np.abs(view.forward(mixture[0, : 2 * SAMPLE_RATE])) + 1e-6)
    step_hz, step_seconds = SAMPLE_RATE / n_fft, n_fft / 8 / SAMPLE_RATE
    shown = slice(0, round(2000 / step_hz) + 1)
    extent = (0, level_db.shape[1] * step_seconds, 0, 2000)
    top = level_db.max()
    axes.imshow(level_db[shown], origin="lower", aspect="auto", extent=extent, vmin=top - 70, vmax=top, cmap="magma")
    axes.set(
        title=f"{n_fft} samples: {step_hz:.0f} Hz, {1000 * n_fft / SAMPLE_RATE:.0f} ms", xlabel="time, s", xlim=(0, 2)
    )
panels[0].set_ylabel("frequency, Hz")
figure.suptitle("The same two seconds: sharp in time on the left, sharp in frequency on the right")
plt.show()

# %% [markdown]
# ## A mask by hand
#
# A mask is a number between 0 and 1 for every point; the spectrum is multiplied by it and transformed back. Here is
# one that needs no learning: 1 below 200 Hz, 0 above. It finds the bass of this song well, since hardly anything else
# is down there, and what it leaves is the song without a bass.

# %%
hertz = np.arange(stft.bins) * SAMPLE_RATE / stft.n_fft
low = (hertz < 200)[:, None].astype(np.float32)  # the same in every frame
by_hand = stft.inverse(low * spectrum, samples=mixture.shape[-1])
rest = stft.inverse((1 - low) * spectrum, samples=mixture.shape[-1])
bass = stems[[STEMS.index("bass")]]
for name, estimate in {"the mixture": mixture, "what is below 200 Hz": by_hand}.items():
    print(f"sdr of {name}, taken for the bass: {sdr(bass, estimate[None])[0]:.1f} dB")
listen({"mixture": mixture, "below 200 Hz": by_hand, "above 200 Hz": rest, "the true bass": bass[0]})

# %% [markdown]
# `sdr` is the energy of the true stem over the energy of the error, in decibels: at 0 dB the error is as large as the
# stem, at 10 dB it has a tenth of its energy. Silence as an estimate scores exactly 0 dB.
#
# ## Oracle masks
#
# If the true stems are known, a very good mask can be computed: each stem's share of the power at every point. No one
# has the true stems of a new song, so this is no method but a **ceiling**: what a perfect net could reach by masks.

# %%
true_spectra = stft.forward(stems)
power = np.abs(true_spectra) ** 2  # (stems, channels, bins, frames)
oracle = power / np.maximum(power.sum(axis=0), 1e-12)
magnitude = np.abs(spectrum)


def apply(masks):
    """Mask the mixture and transform back: `(stems, channels, bins, frames)` to `(stems, channels, samples)`."""
    return stft.inverse((masks * spectrum).astype(np.complex64), samples=mixture.shape[-1])


figure, panels = plt.subplots(1, 4, figsize=(11, 3.4), sharey=True)
seconds = np.arange(spectrum.shape[-1]) * stft.hop_length / SAMPLE_RATE
rows = np.unique(np.geomspace(3, 1500, 200).astype(int))  # of the picture: bins, closer together at the bottom
for axes, stem, mask in zip(panels, STEMS, oracle.mean(axis=1), strict=True):
    picture = axes.pcolormesh(seconds, hertz[rows], mask[rows], vmin=0, vmax=1, cmap="cividis")
    axes.set(title=stem, yscale="log", ylim=(hertz[rows[0]], 16_000), xlabel="time, s")
panels[0].set_ylabel("frequency, Hz")
panels[0].set_yticks([50, 200, 1000, 5000, 15_000], ["50", "200", "1k", "5k", "15k"])
figure.colorbar(picture, ax=panels, label="share of the power")
figure.suptitle("Oracle masks: most points belong to one stem, few to two")
plt.show()
alone = oracle.max(axis=0) > 0.9
print(f"points where one stem has over 90 % of the power: {100 * alone.mean():.0f} %")
print(f"of the mixture's energy they hold {100 * (magnitude[alone] ** 2).sum() / (magnitude**2).sum():.0f} %")

# %%
estimates = apply(oracle)
show_scores({"mixture as every stem (floor)": BASELINES["mixture"](mixture, None), "oracle masks": estimates})
index = STEMS.index("vocals")
listen({"vocals by the oracle mask": estimates[index], "the true vocals": stems[index]})
listen({"what is wrong with them (error)": estimates[index] - stems[index]})

# %% [markdown]
# The error is what was under the voice at the same points: no mask can take a point apart.
#
# ## Why softmax
#
# A net gives a number without bounds for every stem and point, a *logit*. `softmax` over the stems turns four of them
# into shares that add up to 1. Then the four estimates add up to the mixture, whatever the net says: nothing is
# invented and nothing is lost, only put into the wrong stem. Even noise as logits obeys:

# %%
logits = np.random.default_rng(0).normal(size=(len(STEMS), *spectrum.shape)).astype(np.float32)
noise_masks = softmax(logits, axis=0)
shared = apply(noise_masks)
print(f"masks between {noise_masks.min():.3f} and {noise_masks.max():.3f}")
print(f"sum of the estimates less the mixture: {20 * np.log10(np.abs(shared.sum(axis=0) - mixture).max()):.0f} dBFS")
show_scores({"mixture as every stem (floor)": BASELINES["mixture"](mixture, None), "softmax of noise": shared})

# %% [markdown]
# Note the scores: noise beats the mixture by several dB without separating anything, just by being quieter. Whoever
# reports that a net is "6 dB better than the mixture" has said little; the rule that gives every stem a quarter is
# there already. demix lists it as `equal` in every table.
#
# ## What the phase costs
#
# A mask scales a point and leaves its phase alone, and that is the phase of the mixture. How much is lost by this?
# With the true stems at hand one can try what no net can do:

# %%
phase_of_mixture, phase_of_stems = (np.exp(1j * np.angle(value)) for value in (spectrum, true_spectra))
cosine = np.real(phase_of_stems / phase_of_mixture)
# The multiple of the mixture that comes closest to the stem, point by point: less where their phases disagree.
best_real = np.clip(np.abs(true_spectra) / np.maximum(magnitude, 1e-9) * cosine, 0, 1)
variants = {
    "shares of the power (oracle)": oracle * spectrum,
    "true magnitude, phase of mixture": np.abs(true_spectra) * phase_of_mixture,
    "best mask from 0 to 1": best_real * spectrum,
    "oracle magnitude, true phase": oracle * magnitude * phase_of_stems,
}
waves = {name: stft.inverse(value.astype(np.complex64), samples=mixture.shape[-1]) for name, value in variants.items()}
show_scores(waves)

figure, axes = plt.subplots(figsize=(8, 3.2))
for row, wave in enumerate(waves.values()):
    for stem, value in zip(STEMS, sdr(stems, wave), strict=True):
        axes.plot(value, row, MARKERS[stem], color=COLOURS[stem], label=stem if row == 0 else None)
axes.set_yticks(range(len(waves)), waves)
axes.invert_yaxis()
axes.set(xlabel="sdr, dB", title="Even the true magnitude scores no better than a mask: the phase is wrong")
figure.legend(loc="outside right center", frameon=False)
plt.show()

# %% [markdown]
# The first three rows are what masks can do, and they are close together: a better mask than the oracle gains one
# decibel. The last row repairs the phase alone and gains three. With both right the error would be that of the round
# trip. The nets here leave the phase as it is; they are so far below this ceiling that it is not what holds them
# back.
#
# ## How fine must a mask be?
#
# Both nets see bands in place of bins and give one mask value per band: 192 of them in the nets on board, fewer
# numbers by a factor of ten. What does this cost at most? Average the oracle's shares over bands and frames and
# listen.


# %%
def coarsen(bands, frames):
    """Compute the oracle's shares of the power in tiles of so many bands to the spectrum and frames to a tile."""
    edges = band_edges(bands, stft.bins)
    columns = np.arange(0, spectrum.shape[-1], frames)
    tiles = np.add.reduceat(np.add.reduceat(power, edges[:-1], axis=-2), columns, axis=-1)
    shares = tiles / np.maximum(tiles.sum(axis=0), 1e-12)
    wide = np.repeat(shares, np.diff(edges), axis=-2)
    return np.repeat(wide, np.diff([*columns, spectrum.shape[-1]]), axis=-1)


coarse = {
    "every bin and frame": estimates,
    "192 bands, every frame": apply(coarsen(192, 1)),
    "32 bands, every frame": apply(coarsen(32, 1)),
    "192 bands, 8 frames (0.19 s)": apply(coarsen(192, 8)),
    "8 bands, 32 frames (0.74 s)": apply(coarsen(8, 32)),
}
show_scores(coarse)
listen({f"vocals: {name}": wave[index] for name, wave in coarse.items() if name != "every bin and frame"})

# %% [markdown]
# ## Between floor and ceiling
#
# Finally the nets on board, on seconds of a song that they were not trained on. All of these numbers are from
# **twelve seconds of one song**: enough to see the range, not to rank the nets (that takes notebook 4).

# %%
part = slice(66 * SAMPLE_RATE, 78 * SAMPLE_RATE)
stems = songs["lithium"].stems()[..., part]
mixture = stems.sum(axis=0)
systems = {name: BASELINES[name](mixture, stems) for name in ("mixture", "equal", "oracle")}
for name in ("unet", "vit"):
    parts = load(name).separate(mixture)
    systems[name] = np.stack([parts[stem] for stem in STEMS])
ordered = dict(sorted(systems.items(), key=lambda item: sdr(stems, item[1]).mean()))
show_scores(ordered)

figure, axes = plt.subplots(figsize=(8, 3.4))
for row, wave in enumerate(ordered.values()):
    values = sdr(stems, wave)
    for stem, value in zip(STEMS, values, strict=True):
        axes.plot(value, row, MARKERS[stem], color=COLOURS[stem], label=stem if row == 0 else None)
    axes.plot(values.mean(), row, "|", color="black", markersize=16, label="mean" if row == 0 else None)
axes.set_yticks(range(len(ordered)), ordered)
axes.axvline(0, color="#77777d", linewidth=0.8)
axes.set(xlabel="sdr, dB (0: silence as the estimate)", title="lithium, 66 to 78 s: the nets are far below the ceiling")
figure.legend(loc="outside right center", frameon=False)
plt.show()

# %% [markdown]
# **To try:** replace the 200 Hz by 100 or 400 and watch the score of the bass; give `STFT` a window of 1024 and
# compare the oracle; use another song's seconds. Next: [inside the two nets](3_inside_the_two_nets.ipynb).
