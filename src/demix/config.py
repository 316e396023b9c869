"""Settings of a run: frozen dataclasses, read from TOML, changed with `section.key=value`.

Every default lives here once, those of a net's sizes in the net's own signature. The defaults are the `tiny` run on the
songs that ship with the project, which two CPU cores train in minutes.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from demix.config_checks import check_also, check_transposition, check_value
from demix.config_toml import parse_value, read_toml
from demix.errors import DemixError

STEMS = ("vocals", "drums", "bass", "other")  # always in this order
SAMPLE_RATE = 44_100  # Hz; the only rate that data sets and nets know
CHANNELS = 2


@dataclass(frozen=True)
class Spectral:
    """The STFT that masks act on.

    Args:
        n_fft: window in samples.
        hop_length: distance of frames in samples; a divisor of `n_fft`, at most a quarter of it.
    """

    n_fft: int = 4096
    hop_length: int = 1024


@dataclass(frozen=True)
class Model:
    """Which net.

    Args:
        name: a key of `demix.models.MODELS`.
        preset: sizes from `demix.models.presets`: `tiny`, `small` or `base`.
        mask: `softmax` over the stems (the four estimates add up to the mixture) or independent `sigmoid`.
        phase: give the net the phase of the mixture beside its magnitude.
        options: arguments of the net's constructor that replace those of the preset.
        init: ImageNet weights that a ViT starts from, `timm:MODEL` or `timm:MODEL@FILE`; see `demix.models.transfer`.
    """

    name: str = "unet"
    preset: str = "tiny"
    mask: str = "softmax"
    phase: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    init: str = ""


@dataclass(frozen=True)
class Data:
    """What is trained on.

    Args:
        dataset: a data set's name or a folder of songs; its `train` and `valid` songs are used, never its `test` songs.
        also: other data sets whose `train` songs are learnt from too, each with its weight; that of `dataset` is 1. A
            stem is drawn from the sets that have it in proportion to their weights, however long they are.
        segment_seconds: length of a training segment; 2.95 s is 128 frames.
        batch_size: segments in a batch.
    """

    dataset: str = "free"
    also: dict[str, Any] = field(default_factory=dict)
    segment_seconds: float = 2.95
    batch_size: int = 4


@dataclass(frozen=True)
class Augment:
    """How training segments are varied.

    Args:
        remix: share of segments whose stems come from different songs and moments (Uhlich et al. 2017).
        level: bring every song's stems to one level before remixing, so that no song's balance decides who is heard.
        rest: share of a remixed segment's stems that are left out, because in real songs stems rest.
        transpose: lowest and highest transposition of a remixed stem in semitones, by resampling; a stem that is not
            named keeps its pitch.
        gain_db: each stem is scaled by a gain drawn evenly from -gain_db to +gain_db.
        swap: share of stems whose left and right are exchanged.
        polarity: share of stems whose sign is changed.
    """

    remix: float = 0.75
    level: bool = True
    rest: float = 0.2
    # The songs that ship have basses below 60 Hz only; a bass guitar's notes reach two octaves higher.
    transpose: dict[str, Any] = field(
        default_factory=lambda: {"vocals": [-5, 5], "drums": [-7, 7], "bass": [-5, 24], "other": [-7, 7]}
    )
    gain_db: float = 6.0
    swap: float = 0.5
    polarity: float = 0.5


@dataclass(frozen=True)
class Loss:
    """Weights of the parts of the loss, per dB; see `demix.training.losses`.

    Args:
        waveform: of the error of the samples.
        spectrum: of the error of the magnitudes.
        complex: of the error of the complex spectrum: nearly that of the samples, without a transform back.
    """

    waveform: float = 0.1
    spectrum: float = 0.1
    complex: float = 0.0


@dataclass(frozen=True)
class Training:
    """How a net is trained.

    Args:
        steps: number of batches.
        learning_rate: highest learning rate of AdamW, after the warm-up; a cosine takes it to zero.
        weight_decay: decay of AdamW.
        warmup_steps: steps in which the learning rate rises.
        clip_norm: the gradient's norm is cut to this.
        ema_decay: decay of the moving average of the weights that is scored and shipped.
        valid_every: steps between two scores on the validation songs; each is followed by a checkpoint.
        checkpoint_every: steps between two checkpoints; 0 leaves it to the score and the clock.
        checkpoint_minutes: a checkpoint is also written when the last one is this old.
        seed: decides the initial weights and every batch.
        device: `auto`, `cpu`, `cuda` or `mps`.
    """

    steps: int = 600
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 40
    clip_norm: float = 1.0
    ema_decay: float = 0.98
    valid_every: int = 150
    checkpoint_every: int = 0
    checkpoint_minutes: float = 10.0
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Speed:
    """How fast a net is trained. What it learns does not depend on these but for rounding; `benchmarks/README.md`.

    Args:
        precision: of the net's matrix products and convolutions: `float32`, `tf32`, `bfloat16` or `float16`. Weights,
            transforms, features and loss stay float32, with `tf32` in sums over bands unless all is `float32`.
        compile: let `torch.compile` fuse the net's operations; needs a C++ compiler, on a GPU Triton.
        channels_last: keep maps with their channels side by side, as tensor cores want convolutions.
        flash_attention: let PyTorch choose among its fused kernels; else attention is plain matrix products.
        fused_optimiser: all weights' AdamW in one kernel.
        micro_batch: segments that a device takes at a time, their gradients being added up; 0 is the whole batch.
        checkpoint_activations: compute each block's activations again in the backward pass instead of keeping them.
        resident: keep the training songs in a GPU's memory when they take at most half of what is free.
        workers: processes that read ahead where the songs are not resident; 0 reads in between steps.
    """

    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    flash_attention: bool = True
    fused_optimiser: bool = True
    micro_batch: int = 0
    checkpoint_activations: bool = False
    resident: bool = True
    workers: int = 0


@dataclass(frozen=True)
class Config:
    """All settings of one run."""

    model: Model = field(default_factory=Model)
    spectral: Spectral = field(default_factory=Spectral)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    training: Training = field(default_factory=Training)
    speed: Speed = field(default_factory=Speed)


def load_config(path: Path | None = None, settings: Iterable[str] = ()) -> Config:
    """Read a run's settings: defaults, then a TOML file, then single settings.

    Args:
        path: TOML file with the sections of `Config`; what it leaves out keeps its default.
        settings: strings `section.key=value`, the value as in TOML; quotes around words may be left out.

    Returns:
        The settings, checked.

    Raises:
        DemixError: for a missing file, wrong TOML, an unknown section or key, or an impossible value.
    """
    values: dict[str, Any] = read_toml(path) if path else {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        parts = key.strip().split(".")
        if not equals or len(parts) < 2:
            raise DemixError(f"--set {setting}: expected section.key=value, for example training.steps=1000")
        section = values
        for part in parts[:-1]:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise DemixError(f"--set {setting}: {part} is a value, not a section")
        kind = get_type_hints(get_type_hints(Config).get(parts[0], Config)).get(parts[-1])
        section[parts[-1]] = parse_value(text.strip(), kind)
    return from_dict(values, where=str(path) if path else "--set")


def from_dict(values: Mapping[str, Any], *, where: str) -> Config:
    """Build settings from nested dictionaries; `where` names their origin in errors."""
    sections = get_type_hints(Config)
    unknown = sorted(set(values) - set(sections))
    if unknown:
        raise DemixError(f"{where}: unknown section [{unknown[0]}]; expected one of {', '.join(sections)}")
    config = Config(
        **{name: _build_section(kind, name, values.get(name, {}), where) for name, kind in sections.items()}
    )
    for stem, span in config.augment.transpose.items():
        check_transposition(stem, span, where, stems=STEMS)
    for name, weight in config.data.also.items():
        check_also(name, weight, where, dataset=config.data.dataset)
    if config.loss.waveform + config.loss.spectrum + config.loss.complex == 0:
        raise DemixError(f"{where}: loss.waveform, loss.spectrum and loss.complex are all 0; nothing could be learnt")
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """Return settings as nested dictionaries that JSON and TOML can hold."""
    return dataclasses.asdict(config)


def _build_section(kind: type, name: str, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise DemixError(f"{where}: {name}: expected a section with keys, received {values!r}")
    types = get_type_hints(kind)
    for key, value in values.items():
        if key not in types:
            raise DemixError(f"{where}: unknown key {name}.{key}; expected one of {', '.join(types)}")
        check_value(f"{name}.{key}", value, types[key], where)
    whole = {key: float(value) if types[key] is float else value for key, value in values.items()}
    return kind(**whole)
