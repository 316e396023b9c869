"""ONNX files: what is no demix model is one sentence, devices are those that are there."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from demix.config import STEMS
from demix.errors import DemixError
from demix.onnx_model import Facts, available_devices, load_onnx, open_onnx, pick_device

FACTS = Facts(
    name="quarter",
    net="unet",
    stems=STEMS,
    sample_rate=44_100,
    n_fft=4096,
    hop_length=1024,
    channels=2,
    mask="softmax",
    segment_seconds=0.5,
    parameters=0,
    demix="0.1.0",
)


def make_model(metadata: dict[str, str]) -> bytes:
    """Return a net whose masks are the real part of the spectrum, for each stem."""
    real = helper.make_node("Gather", ["spectrum", "zero"], ["real"], axis=4)
    unsqueezed = helper.make_node("Unsqueeze", ["real", "one"], ["wide"])
    masks = helper.make_node("Concat", ["wide"] * 4, ["masks"], axis=1)
    graph = helper.make_graph(
        [real, unsqueezed, masks],
        "quarter",
        [helper.make_tensor_value_info("spectrum", TensorProto.FLOAT, ["batch", 2, 2049, "frames", 2])],
        [helper.make_tensor_value_info("masks", TensorProto.FLOAT, ["batch", 4, 2, 2049, "frames"])],
        [
            helper.make_tensor("zero", TensorProto.INT64, [], [0]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def test_masker_passes_the_real_part_first_and_facts_come_back() -> None:
    masker = load_onnx(make_model(FACTS.to_metadata()), where="here", device="cpu", threads=1)
    rng = np.random.default_rng(0)
    spectrum = (rng.random((2, 2, 2049, 3)) + 1j * rng.random((2, 2, 2049, 3))).astype(np.complex64)
    for view in (spectrum, spectrum[:, ::-1, :, ::2]):
        np.testing.assert_array_equal(masker(view), np.repeat(view.real[:, None], 4, axis=1))
    assert masker.facts == FACTS
    assert masker.device == "cpu"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected an ONNX file"),
        (b"a text that somebody called model.onnx\n", "expected an ONNX file"),
        (make_model(FACTS.to_metadata())[:400], "expected an ONNX file"),
        (make_model({}), "lacks name, net, stems"),
        (make_model({**FACTS.to_metadata(), "hop_length": "wide"}), "metadata that makes sense"),
        (make_model({**FACTS.to_metadata(), "n_fft": "null"}), "metadata that makes sense"),
        (make_model({**FACTS.to_metadata(), "segment_seconds": '"ab"'}), "metadata that makes sense"),
        (make_model({**FACTS.to_metadata(), "segment_seconds": "NaN"}), "segment_seconds is nan"),
        (make_model({**FACTS.to_metadata(), "segment_seconds": "-2.0"}), "segment_seconds is -2"),
        (make_model({**FACTS.to_metadata(), "segment_seconds": "1e9"}), "segment_seconds is 1"),
        (make_model({**FACTS.to_metadata(), "stems": json.dumps(["piano", "rest"])}), "received piano, rest at 44100"),
        (make_model({**FACTS.to_metadata(), "sample_rate": "16000"}), "at 16000 Hz in 2"),
    ],
)
def test_what_is_no_demix_model_is_one_sentence(content: bytes, words: str, tmp_path: Path, capfd: object) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(DemixError, match=words) as caught:
        open_onnx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="No such file"):
        open_onnx(tmp_path / "none.onnx")


def test_devices_are_those_that_are_there() -> None:
    there = available_devices()
    assert "cpu" in there
    assert pick_device("auto") in there
    assert pick_device("cpu") == "cpu"
    with pytest.raises(DemixError, match=r"expected auto or one that is here .*cpu.* received 'abacus'"):
        pick_device("abacus")


def test_the_graph_of_these_tests_is_valid() -> None:
    onnx.checker.check_model(onnx.load_from_string(make_model({})))
