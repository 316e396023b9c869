"""From a run folder to an ONNX file: trace the net, shrink the graph, check it against the net on real music.

A file whose masks differ from the net's by more than `demix.export_check.TOLERANCE` is not written.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from demix import __version__
from demix.config import CHANNELS, SAMPLE_RATE, STEMS
from demix.data import ARTISTS, dataset_label, dataset_licence
from demix.errors import DemixError
from demix.export_card import write_card
from demix.export_check import check_difference, load_checked_music
from demix.files import atomic
from demix.onnx_model import Facts, load_onnx
from demix.runtime import Run, TorchMasker, load_run
from demix.spectral import STFT

if TYPE_CHECKING:
    import onnx
    from torch import nn

TRACED_FRAMES = 37  # a prime: no multiple of a patch or stride, so that the padding is traced as well
OPSET = 18
LARGE = 10_000  # numbers; a constant of fewer stays as it is


def export_onnx(
    folder: Path,
    path: Path,
    *,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    scored_songs: Sequence[str] = (),
    baselines: Mapping[str, float] | None = None,
) -> float:
    """Write a trained net as an ONNX file, and a model card beside it, `.md` instead of `.onnx`.

    Args:
        folder: the run folder.
        path: the file to write.
        scores: metric -> stem -> dB, for metadata and card.
        scored_songs: the songs of these scores.
        baselines: mean `sdr` of what learns nothing, on these songs, in dB.

    Returns:
        The largest difference of a mask from the net's, on an excerpt of an embedded song.

    Raises:
        DemixError: when the folder is no run, PyTorch or onnx is missing, the songs are not there, or the masks differ.
    """
    run = load_run(folder, device="cpu")
    facts = _gather_facts(run, scores or {}, scored_songs, baselines or {})
    model = _trace(run.net, facts)
    _pool_as_sparse(model)
    _mask_before_repeating(model)
    for key, value in facts.to_metadata().items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    difference = _largest_difference(content, run, facts, path)
    check_difference(path, difference)
    write_card(path.with_suffix(".md"), facts)
    with atomic(path) as file:
        file.write(content)
    return difference


def _gather_facts(
    run: Run, scores: Mapping[str, Mapping[str, float]], scored_songs: Sequence[str], baselines: Mapping[str, float]
) -> Facts:
    from demix.models import count_parameters

    settings = run.config
    dataset = settings.data.dataset
    songs = {
        split: {name: samples / SAMPLE_RATE for name, samples in of_split.items()}
        for split, of_split in run.record.get("tracks", {}).items()
    }
    return Facts(
        name=run.name,
        net=settings.model.name,
        stems=STEMS,
        sample_rate=SAMPLE_RATE,
        n_fft=settings.spectral.n_fft,
        hop_length=settings.spectral.hop_length,
        channels=CHANNELS,
        mask=settings.model.mask,
        segment_seconds=settings.data.segment_seconds,
        parameters=count_parameters(run.net),
        demix=__version__,
        training={
            "dataset": dataset_label(dataset),
            "licence": dataset_licence(dataset),
            "artists": [] if settings.data.also else list(ARTISTS.get(dataset, ())),
            "songs_seconds": songs,
            "datasets": run.record.get("datasets", {}),
            "preset": settings.model.preset,
            "steps": settings.training.steps,
            "best_step": run.step,
            "batch_size": settings.data.batch_size,
            "seed": settings.training.seed,
            "created": run.record.get("created", ""),
            "commit": run.record.get("commit"),
            **({"init": settings.model.init.partition("@")[0]} if settings.model.init else {}),
        },
        scores={metric: {stem: round(value, 3) for stem, value in row.items()} for metric, row in scores.items()},
        scored_songs=tuple(scored_songs),
        baselines={name: round(value, 3) for name, value in baselines.items()},
    )


def _trace(net: "nn.Module", facts: Facts) -> "onnx.ModelProto":
    """Return the net with its mask function as an ONNX graph.

    By tracing: for these nets it takes half a second where torch.export takes half a minute, and keeps the names of
    the axes.
    """
    try:
        import onnx
    except ImportError as error:
        raise DemixError("export: needs onnx, which is not here; pip install 'demix-lab[export]'") from error
    import torch
    from torch import nn

    from demix.models import apply_mask_function

    class Masks(nn.Module):
        """The net as it is used."""

        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
            return apply_mask_function(self.net(spectrum), facts.mask)

    # Two of everything that may be any number, so that nothing is traced as a constant one.
    spectrum = torch.randn(2, facts.channels, facts.n_fft // 2 + 1, TRACED_FRAMES, 2)
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        # Tracing is announced to go and warns of every branch it takes; the check on music shows whether it was right.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        path = Path(scratch) / "traced.onnx"
        torch.onnx.export(
            Masks().eval(),
            (spectrum,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["spectrum"],
            output_names=["masks"],
            dynamic_axes={"spectrum": {0: "batch", 3: "frames"}, "masks": {0: "batch", 4: "frames"}},
        )
        return onnx.load(path)


def _pool_as_sparse(model: "onnx.ModelProto") -> None:
    """Store large constants that are almost all zeros by their other values: which bins a band has, else 1.6 MB."""
    from onnx import helper, numpy_helper

    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        values = numpy_helper.to_array(node.attribute[0].t)
        if values.size < LARGE or np.count_nonzero(values) > values.size // 20:
            continue
        places = np.flatnonzero(values)
        sparse = helper.make_sparse_tensor(
            numpy_helper.from_array(values.ravel()[places], node.output[0]),
            numpy_helper.from_array(places.astype(np.int64)),
            values.shape,
        )
        model.graph.sparse_initializer.append(sparse)
        model.graph.node.remove(node)


def _mask_before_repeating(model: "onnx.ModelProto") -> None:
    """Apply the mask function to bands and give it to their bins, not the other way round: ten times less work.

    The nets end with a Gather that gives every bin the logits of its band.
    """
    function = model.graph.node[-1]
    repeat = next(node for node in model.graph.node if node.output[0] == function.input[0])
    if repeat.op_type != "Gather":
        return
    bands, bins, masks = repeat.input[0], repeat.output[0], function.output[0]
    function.input[0], function.output[0] = bands, bins
    repeat.input[0], repeat.output[0] = bins, masks
    moved = type(repeat).FromString(repeat.SerializeToString())
    model.graph.node.remove(repeat)
    model.graph.node.append(moved)  # nodes stand in the order of their work


def _largest_difference(content: bytes, run: Run, facts: Facts, path: Path) -> float:
    """Compare masks on an embedded song: one frame, a segment, and three pieces longer than a segment at once."""
    import torch

    song = load_checked_music()
    stft = STFT(facts.n_fft, facts.hop_length)
    segment = min(round(facts.segment_seconds * facts.sample_rate), song.shape[-1] // 4)
    reference = TorchMasker(run.net, facts.mask, torch.device("cpu"))
    masker = load_onnx(content, where=str(path), device="cpu")
    differences = []
    for batch, samples in ((1, facts.hop_length - 1), (1, segment), (3, segment + segment // 4)):
        pieces = np.split(song[:, song.shape[-1] // 32 :][:, : batch * samples], batch, axis=-1)
        spectrum = stft.forward(np.stack(pieces))
        try:
            masks = masker(spectrum)
        except Exception as error:  # the errors of ONNX Runtime have no other base in common
            reason = str(error).strip().splitlines()[0]
            raise DemixError(
                f"{path}: expected a net that runs on {spectrum.shape}, but {reason}; nothing is written; "
                "report it with the run's settings"
            ) from error
        differences.append(_difference(masks, reference(spectrum)))
    return float(np.max(differences))  # NaN where one is


def _difference(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
