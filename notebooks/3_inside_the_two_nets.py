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
# # 3. Inside the two nets
#
# The U-Net and the Vision Transformer get the same picture of a song and give the same kind of masks. What they do in
# between could hardly be more different. This page follows a song through both, compares what they cost and what
# their masks look like, and asks how far around a moment each of them listens.
#
# *To run it:* in a checkout of demix, `pip install -e ".[compare,notebooks]"`, then open this file in VS Code, or in
# Jupyter (`pip install jupyterlab`, `jupyter lab`). It needs no GPU and no network, and about 20 seconds.

# %%
import copy
import tempfile
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from demix import load
from demix.config import SAMPLE_RATE, STEMS, load_config
from demix.data import open_dataset
from demix.data.store import open_store, prepare
from demix.evaluation.cost import count_flops
from demix.evaluation.probes.attention import attend, grid_of
from demix.models import MODEL_LABELS, build_net, count_parameters
from demix.models.bands import band_edges
from demix.spectral import STFT
from demix.training.engine import Engine
from demix.training.feed import batches

COLOURS = {"unet": "#0072B2", "vit": "#BD5100"}  # as in the report; Okabe and Ito
plt.rcParams.update({"figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})

songs = {track.name: track for track in open_dataset("free")}
stft = STFT()
frame_seconds = stft.hop_length / SAMPLE_RATE
stems = songs["lithium"].stems()[..., 66 * SAMPLE_RATE : 74 * SAMPLE_RATE]
spectrum = stft.forward(stems.sum(axis=0))
seen = torch.view_as_real(torch.from_numpy(spectrum))[None]  # what a net takes: (batch, channels, bins, frames, 2)
print(f"eight seconds of lithium: {tuple(seen.shape)}")

# %% [markdown]
# ## What both see
#
# Not the 2049 bins, but 192 *bands*: of a bin or two at the bottom, of nearly forty at the top. Of each band they see
# the logarithm of its level (left, right, mid, side), and two maps that say by how much a point stands out from what
# is around it **in time** (drum hits do) and **in frequency** (tones do). This part is the same for both nets.

# %%
settings = {name: load_config(None, [f"model.name={name}"]) for name in MODEL_LABELS}  # the tiny preset
torch.manual_seed(0)
nets = {name: build_net(each).eval() for name, each in settings.items()}  # random weights
with torch.no_grad():
    features = nets["unet"].features(seen)[0]
edges = np.array(band_edges(192, stft.bins)) * SAMPLE_RATE / stft.n_fft
ticks = np.searchsorted(edges, [100, 500, 2000, 8000])

figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
titles = ("level of the left channel, log", "above its surroundings in time", "above its surroundings in frequency")
for axes, index, title, colours in zip(panels, (0, 4, 5), titles, ("magma", "PuOr_r", "PuOr_r"), strict=True):
    bounds = {"vmin": -3, "vmax": 3} if index else {}
    extent = (0, features.shape[-1] * frame_seconds, 0, 192)
    picture = axes.imshow(features[index], origin="lower", aspect="auto", extent=extent, cmap=colours, **bounds)
    axes.set(title=title, xlabel="time, s")
    figure.colorbar(picture, ax=axes)
panels[0].set_yticks(ticks, ["100", "500", "2k", "8k"])
panels[0].set_ylabel("frequency, Hz (192 bands)")
plt.show()

# %% [markdown]
# ## What happens to the shapes
#
# The **U-Net** halves bands and frames again and again, with more maps each time, and then goes back up; at every
# size it takes the maps of its way down along. The **ViT** cuts the picture into patches of 8 × 8 once, and then
# keeps one row of numbers per patch (a *token*) until the end. Each of its blocks lets every token look at every
# other.


# %%
def print_shapes(net):
    """Print what each part of a net gives, `(batch, ...)`."""

    def tell(part, inputs, output, name):
        print(f"  {name:<12} {' × '.join(map(str, output.shape[1:]))}")

    parts = [
        (f"{name} {index}", child)
        for name, module in net.named_children()
        for index, child in (enumerate(module) if isinstance(module, torch.nn.ModuleList) else [("", module)])
    ]
    handles = [part.register_forward_hook(partial(tell, name=name)) for name, part in parts]
    with torch.no_grad():
        net(seen)
    for handle in handles:
        handle.remove()


for name, net in nets.items():
    print(f"{MODEL_LABELS[name]}: 2 × 2049 × {spectrum.shape[-1]} complex numbers go in")
    print_shapes(net)

# %% [markdown]
# ## What they cost
#
# Both have as many trained numbers, within two percent, so that neither is ahead by size alone. Operations are
# another matter. A convolution does the same for every second, however long the music is. Attention compares all
# pairs of tokens: with twice the length, each second is compared with twice as much. The table counts this by the
# length that the net gets at once.

# %%
for name, net in nets.items():
    parts = {part: count_parameters(child) for part, child in net.named_children()}
    print(f"{MODEL_LABELS[name]:<6} {count_parameters(net):,} parameters:", end=" ")
    print(", ".join(f"{part} {100 * count / count_parameters(net):.1f} %" for part, count in parts.items() if count))

print("\nbillions of operations (FLOPs) for a second of music, by the length that the net sees at once")
lengths = (1.5, 3, 6, 12, 24, 48)
print(" " * 6 + "".join(f"{length:>7} s" for length in lengths))
for name, net in nets.items():
    of_length = [load_config(None, [f"model.name={name}", f"data.segment_seconds={length}"]) for length in lengths]
    counted = copy.deepcopy(net).to("meta")  # shapes without numbers: counting takes no computing
    print(f"{MODEL_LABELS[name]:<6}" + "".join(f"{count_flops(counted, each) / 1e9:9.2f}" for each in of_length))

# %% [markdown]
# ## The masks of the nets on board
#
# `demix.load` gives a trained net: half an hour of training on five songs and two hundred generated ones. Its masks for
# a song that it does not know, beside the oracle's (notebook 2). Compare the *texture*: how sharp are edges in time,
# how fine are lines in frequency? (These nets are wider than the `tiny` ones above, and the ViT's patches have another
# shape.)

# %%
power = np.abs(stft.forward(stems)) ** 2
masks = {"oracle": (power / np.maximum(power.sum(axis=0), 1e-12)).mean(axis=1)}
for name in MODEL_LABELS:
    masks[name] = load(name).masker(spectrum[None])[0].mean(axis=1)
weights = np.abs(spectrum).mean(axis=0)

rows = np.unique(np.geomspace(3, 1500, 200).astype(int))  # of the picture: bins, closer together at the bottom
hertz = rows * SAMPLE_RATE / stft.n_fft
times = np.arange(spectrum.shape[-1]) * frame_seconds
figure, grid = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True, sharey=True)
for panels, stem in zip(grid, ("vocals", "drums"), strict=True):
    index = STEMS.index(stem)
    for axes, (name, mask) in zip(panels, masks.items(), strict=True):
        picture = axes.pcolormesh(times, hertz, mask[index, rows], vmin=0, vmax=1, cmap="cividis")
        away = np.average(np.abs(mask[index] - masks["oracle"][index]), weights=weights)
        title = f"{stem}, {MODEL_LABELS.get(name, name)}" + (f": {away:.2f} off" if away else "")
        axes.set(title=title, yscale="log", ylim=(hertz[0], 16_000))
grid[0, 0].set_yticks([50, 200, 1000, 5000, 15_000], ["50", "200", "1k", "5k", "15k"])
figure.supxlabel("time, s")
figure.supylabel("frequency, Hz")
figure.colorbar(picture, ax=grid, label="mask")
figure.suptitle(
    "Both nets hedge: their masks are seldom 0 or 1 (off: mean distance from the oracle, weighted by level)"
)
plt.show()

# %% [markdown]
# ## How far can it listen?
#
# Take one frame in the middle of the eight seconds. If the music at some other time were a little louder, would the
# masks of this frame change? The gradient answers for all times at once: its square, by distance, is the *effective
# receptive field* (Luo et al. 2016). Here it is for both nets as they are built, **with random weights**.
#
# For the U-Net one can also count by hand: a kernel of 5 at the first size reaches 2 frames to each side, at the next
# size its steps are twice as long, and so on; the way up adds its kernels of 3.


# %%
def measure_field(net, frame):
    """Return the share of the squared gradient of one frame's masks in every frame of the music, `(frames,)`."""
    louder = seen.clone().requires_grad_()
    logits = net(louder, by_band=True)[..., frame]
    logits = logits - logits.mean(dim=1, keepdim=True)  # softmax does not see what all stems have in common
    signs = torch.randint(2, logits.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (gradient,) = torch.autograd.grad((signs * logits).sum(), louder)
    by_level = (gradient * seen).sum(dim=-1)  # per change of level, since the nets see logarithms
    squared = by_level.square().sum(dim=(0, 1, 2)).double().numpy()
    return squared / squared.sum()


def count_reach(levels):
    """Return how many frames to each side a U-Net's convolutions reach at most."""
    down = sum(2 * 2**level for level in range(levels))  # kernel 5: two steps of 1, 2, 4 ... frames
    up = sum(2**level for level in range(1, levels + 1))  # kernel 3: one step of ..., 8, 4, 2 frames
    return down + up + 2**levels + 1  # to the end of the coarsest cell, and the head's kernel


middle = spectrum.shape[-1] // 2
offsets = (np.arange(spectrum.shape[-1]) - middle) * frame_seconds
reach = count_reach(len(nets["unet"].encoder)) * frame_seconds
figure, axes = plt.subplots(figsize=(9, 3.8))
for name, net in nets.items():
    shares = measure_field(net, middle)
    near = shares[np.abs(offsets) <= 0.5].sum()
    label = f"{MODEL_LABELS[name]}: {100 * near:.1f} % within ±0.5 s"
    axes.semilogy(offsets, shares, color=COLOURS[name], label=label, linestyle="-" if name == "unet" else "--")
axes.axvspan(-reach, reach, color="#77777d", alpha=0.12, label=f"the U-Net's convolutions: ±{reach:.1f} s at most")
axes.set(xlabel="time from the frame, s", ylabel="share of the squared gradient", xlim=(-4, 4))
axes.set_title("Untrained: the ViT hears all of it, but little; the U-Net what its convolutions reach")
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# The U-Net's line does not fall to zero where its convolutions end: its normalisation divides by the level of the
# whole segment, so every frame hears *how loud* the rest is, though not what is played. Things like this are why
# context is measured and not read off an architecture.
#
# ## How far does it listen?
#
# What a net *can* hear says little of what it uses. For the trained nets we can do the experiment: keep the music
# within a radius of a moment, put another song in place of all the rest, and see by how much the masks of that moment
# change. Where the curve reaches zero, the net does not care any more.

# %%
other = songs["sodium"].mixture()[:, 5 * SAMPLE_RATE : 9 * SAMPLE_RATE]  # four seconds, two to each side
mixture = stems.sum(axis=0)
starts = [0, 2 * SAMPLE_RATE, 4 * SAMPLE_RATE]
distance = np.abs(np.arange(other.shape[-1]) - other.shape[-1] // 2) / SAMPLE_RATE
radii = (0.1, 0.2, 0.4, 0.8, 1.6)

at_0_4 = {}
figure, axes = plt.subplots(figsize=(8, 3.6))
for name, marker in zip(MODEL_LABELS, "os", strict=True):
    masker = load(name).masker
    changes = np.zeros((len(starts), len(radii)))
    for moment, start in enumerate(starts):
        window = mixture[:, start : start + other.shape[-1]]
        filler = other * np.sqrt((window**2).mean() / (other**2).mean())  # as loud as what it replaces
        windows = [window, *(np.where(distance <= radius, window, filler) for radius in radii)]
        spectra = stft.forward(np.stack(windows).astype(np.float32))
        frame = spectra.shape[-1] // 2
        of_frame = masker(spectra)[..., frame]
        weights = np.abs(spectra[0, ..., frame])
        for index, mask in enumerate(of_frame[1:]):
            changes[moment, index] = np.average(np.abs(mask - of_frame[0]).mean(axis=0), weights=weights)
    axes.plot(radii, changes.mean(axis=0), marker=marker, color=COLOURS[name], label=MODEL_LABELS[name])
    at_0_4[MODEL_LABELS[name]] = changes.mean(axis=0)[radii.index(0.4)]
    axes.plot(radii, changes.T, color=COLOURS[name], linewidth=0.6, alpha=0.5)
axes.set(
    xscale="log", xlabel="radius of the music that is kept, s", ylabel="change of the masks (0 to 1)", ylim=(0, None)
)
axes.set_xticks(radii, radii)
axes.minorticks_off()
axes.legend(frameon=False)
axes.set_title(
    "With ±0.4 s kept, masks change by " + ", ".join(f"{change:.3f} ({name})" for name, change in at_0_4.items())
)
plt.show()

# %% [markdown]
# Thin lines are single moments. When this page was written it was the **U-Net** that listened farther; the ViT hardly
# cared what lay beyond half a second. Three moments of one song are an anecdote: `demix probe RUN` does this with
# many moments, two kinds of filler and the loss in dB, and says how sure it is. This experiment is the one that can
# refute the idea that this project tests: if a net with global attention does not use what is far away, then its
# length is no help.
#
# ## Where does the ViT look?
#
# For every token, each block computes weights over all tokens that add up to 1. The nets on board are ONNX files,
# which run anywhere but do not show these weights. So we train a very small ViT here, for seconds, with the code that
# `demix train` uses. **It is a beginner**; the point is how to look. The same code looks into a run folder of yours
# (`demix.runtime.load_run("checkpoints/free-tiny-vit").net`).

# %%
store = Path(tempfile.mkdtemp())
prepare([songs["potassium"], songs["francium"]], store)
sizes = {"bands": 96, "embed_dim": 64, "depth": 2, "num_heads": 4, "head_maps": 2, "head_width": 4}
small = load_config(
    None,
    ["model.name=vit", "training.steps=60", "training.warmup_steps=5", "data.segment_seconds=1.5", "data.batch_size=2"]
    + [f"model.options.{key}={value}" for key, value in sizes.items()],
)
engine = Engine(small, device=torch.device("cpu"))
stream = batches(open_store(store), small, device=torch.device("cpu"), start=0)
losses = [float(engine.step(batch, step)) for step, batch in enumerate(stream)]
vit = engine.net.eval()
print(f"{count_parameters(vit):,} parameters, {len(losses)} steps")
print(f"loss of the first twenty {np.mean(losses[:20]):.2f}, of the last twenty {np.mean(losses[-20:]):.2f}")

# %% [markdown]
# `attend` runs the net and returns the weights of chosen tokens. Tokens are numbered row by row; the cross in the
# picture is the one that looks.

# %%
rows, columns = grid_of(vit, seen.shape[3])
row, column = 2, 20
maps = attend(vit, seen, torch.tensor([row * columns + column]))[:, :, 0].unflatten(-1, (rows, columns)).numpy()
print(f"{maps.shape}: blocks, heads, rows, columns; the weights of a head add up to {maps[0, 0].sum():.4f}")
with torch.no_grad():
    level = vit.features(seen)[0, 0]
patch_seconds = vit.patch_size[1] * frame_seconds
extent = (0, maps.shape[-1] * patch_seconds, 0, maps.shape[-2])
figure, panels = plt.subplots(1, 1 + len(maps), figsize=(11, 3.6), sharey=True)
panels[0].imshow(level, origin="lower", aspect="auto", extent=extent, cmap="magma")
panels[0].set(title="what is heard", ylabel="row of patches (8 bands each)")
for block, (axes, weights) in enumerate(zip(panels[1:], maps.mean(axis=1), strict=True)):
    picture = axes.imshow(weights * weights.size, origin="lower", aspect="auto", extent=extent, cmap="cividis", vmin=0)
    figure.colorbar(picture, ax=axes)
    axes.set_title(f"block {block}, mean of its heads")
for axes in panels:
    axes.plot((column + 0.5) * patch_seconds, row + 0.5, "x", color="white" if axes is panels[0] else "#D55E00")
    axes.set_xlabel("time, s")
figure.suptitle("Attention of one token; 1 is what each would get if it looked at all alike")
plt.show()

distance = np.abs(np.arange(maps.shape[-1]) - column) * patch_seconds
for block, heads in enumerate(maps):
    away = (heads.sum(axis=1) * distance).sum(axis=-1)
    print(f"block {block}: mean distance of the heads", ", ".join(f"{value:.2f} s" for value in away))
print(f"a head that looks at all columns alike: {distance.mean():.2f} s")

# %% [markdown]
# A weight says where a head reads, not whether what it reads matters (Jain and Wallace 2019): read this map together
# with the experiment above.
#
# **To try:** `model.options.window_frames=22` for the small ViT (it may then look half a second far) and the same
# maps; more steps; another `row` and `column`. Next: [reading the results](4_reading_the_results.ipynb).
