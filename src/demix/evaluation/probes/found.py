"""What probes have found, gathered song by song, and the files that it is written to."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demix.evaluation.probes.attention import Attention, attention_rows
from demix.evaluation.probes.attention_maps import Maps, Scene
from demix.evaluation.probes.field import average_fields, field_offsets, field_radius
from demix.evaluation.probes.moments import Floats
from demix.evaluation.probes.probed import ProbedNet
from demix.evaluation.probes.tables import (
    AttentionRow,
    ContextRow,
    FieldRadiusRow,
    FieldRow,
    ListeningRow,
)
from demix.files import atomic, writing
from demix.rows import write_rows

INPUTS_FILE = "inputs.json"  # what a protocol's probes were made of; goes when `demix probe` writes others over them


@dataclass
class Found:
    """What has been found so far.

    Args:
        context: rows of `context.csv`.
        listening: rows of `listening.csv`.
        fields: run name -> shares of the squared gradient, one array for each song.
        weights: run name -> what was measured at each moment of each song; empty for a net without attention.
        maps: run name -> attention maps of the scene.
        scene: the passage that the maps are of.
        field: rows of `field.csv`; these and the next are there once all songs are done.
        field_radius: rows of `field_radius.csv`.
        attention: rows of `attention.csv`.
    """

    context: list[ContextRow] = dataclasses.field(default_factory=list)
    listening: list[ListeningRow] = dataclasses.field(default_factory=list)
    fields: dict[str, list[Floats]] = dataclasses.field(default_factory=dict)
    weights: dict[str, list[Attention]] = dataclasses.field(default_factory=dict)
    maps: dict[str, Maps] = dataclasses.field(default_factory=dict)
    scene: Scene | None = None
    field: list[FieldRow] = dataclasses.field(default_factory=list)
    field_radius: list[FieldRadiusRow] = dataclasses.field(default_factory=list)
    attention: list[AttentionRow] = dataclasses.field(default_factory=list)

    def finish(self, nets: Sequence[ProbedNet]) -> None:
        """Average every net's gradients and attention over songs and moments, into rows."""
        for net in nets:
            name = net.system, net.group
            shares = average_fields(self.fields[net.system])
            offsets = field_offsets(net.stft, len(shares))
            self.field += [FieldRow(*name, *map(float, pair)) for pair in zip(offsets, shares, strict=True)]
            self.field_radius.append(FieldRadiusRow(*name, field_radius(offsets, shares)))
            self.attention += attention_rows(net, self.weights[net.system])

    def write(self, out: Path, facts: dict[str, object]) -> None:
        """Write every file, each of them whole or not at all.

        Raises:
            DemixError: when a file cannot be written.
        """
        with writing(out):
            (out / INPUTS_FILE).unlink(missing_ok=True)
        write_rows(out / "context.csv", ContextRow._fields, self.context)
        write_rows(out / "listening.csv", ListeningRow._fields, self.listening)
        write_rows(out / "field.csv", FieldRow._fields, self.field)
        write_rows(out / "field_radius.csv", FieldRadiusRow._fields, self.field_radius)
        write_rows(out / "attention.csv", AttentionRow._fields, self.attention)
        arrays: dict[str, Any] = {
            f"{system}_{name}": array for system, maps in self.maps.items() for name, array in maps.arrays.items()
        }
        with atomic(out / "attention.npz") as file:
            np.savez_compressed(file, **arrays)
        scene = self.scene.describe() if self.scene else {}
        _write_json(
            out / "attention.json", {**scene, "systems": {name: maps.facts for name, maps in self.maps.items()}}
        )
        _write_json(out / "probes.json", facts)


def _write_json(path: Path, value: dict[str, object]) -> None:
    with atomic(path) as file:
        file.write((json.dumps(value, indent=2) + "\n").encode())
