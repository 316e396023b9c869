"""What values a setting may have."""

from collections.abc import Sequence
from typing import Any, get_origin

from demix.errors import DemixError

GREATEST_SEGMENT_SECONDS = 120  # of a chunk that a net is given, in training and separation
MAX_TRANSPOSE = 36  # semitones that training may move a stem up or down
MAX_WEIGHT = 1e6  # of a data set beside another

# Lowest and highest value that makes sense; keys as in `--set`.
_RANGES: dict[str, tuple[float, float]] = {
    "data.segment_seconds": (0.1, GREATEST_SEGMENT_SECONDS),
    "data.batch_size": (1, 65_536),
    "augment.remix": (0, 1),
    "augment.rest": (0, 1),
    "augment.gain_db": (0, 60),
    "augment.swap": (0, 1),
    "augment.polarity": (0, 1),
    "loss.waveform": (0, 1e6),
    "loss.spectrum": (0, 1e6),
    "loss.complex": (0, 1e6),
    "training.steps": (1, 10**9),
    "training.learning_rate": (0, 1),
    "training.weight_decay": (0, 1),
    "training.warmup_steps": (0, 10**9),
    "training.clip_norm": (1e-9, 1e9),
    "training.ema_decay": (0, 1),
    "training.valid_every": (1, 10**9),
    "training.checkpoint_every": (0, 10**9),
    "training.checkpoint_minutes": (0, 10**6),
    "training.seed": (0, 2**32 - 1),
    "speed.micro_batch": (0, 65_536),
    "speed.workers": (0, 256),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "model.mask": ("softmax", "sigmoid"),
    "training.device": ("auto", "cpu", "cuda", "mps"),
    "speed.precision": ("float32", "tf32", "bfloat16", "float16"),
}


def check_value(key: str, value: Any, kind: Any, where: str) -> None:
    """Raise `DemixError` unless a setting has its type and a value that makes sense; `where` names its origin."""
    plain = get_origin(kind) or kind
    allowed = (int, float) if plain is float else plain
    if not isinstance(value, allowed) or (isinstance(value, bool) and plain is not bool):
        raise DemixError(f"{where}: {key}: expected {plain.__name__}, received {value!r}")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise DemixError(f"{where}: {key}: expected one of {', '.join(_CHOICES[key])}, received {value!r}")
    low, high = _RANGES.get(key, (-float("inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        raise DemixError(f"{where}: {key}: expected {low:g} to {high:g}, received {value:g}")


def check_transposition(stem: str, span: Any, where: str, *, stems: Sequence[str]) -> None:
    """Raise `DemixError` unless a stem and its lowest and highest transposition in semitones make sense."""
    key = f"augment.transpose.{stem}"
    if stem not in stems:
        raise DemixError(f"{where}: unknown key {key}; expected one of {', '.join(stems)}")
    numbers = isinstance(span, list | tuple) and all(type(value) in (int, float) for value in span)
    if not numbers or len(span) != 2 or not -MAX_TRANSPOSE <= span[0] <= span[1] <= MAX_TRANSPOSE:
        raise DemixError(
            f"{where}: {key}: expected the lowest and highest semitones from -{MAX_TRANSPOSE} to {MAX_TRANSPOSE}, "
            f"received {span!r}; for example [-5, 5]"
        )


def check_also(name: str, weight: Any, where: str, *, dataset: str) -> None:
    """Raise `DemixError` unless a further data set is another one than `dataset` and has a weight above 0."""
    if name == dataset:
        raise DemixError(f"{where}: data.also: {name} is data.dataset already; leave it out")
    if type(weight) not in (int, float) or not 0 < weight <= MAX_WEIGHT:
        raise DemixError(
            f"{where}: data.also.{name}: expected a weight above 0, up to {MAX_WEIGHT:g}, received {weight!r}"
        )
