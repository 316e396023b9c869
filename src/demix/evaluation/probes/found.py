"""What probes have found, gathered song by song, and the files that it is written to."""

import json
from dataclasses import dataclass, field
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
    write_rows,
)
from demix.files import atomic


@dataclass
class Found:
    """What has been found so far.

    Args:
        context: rows of `context.csv`.
        listening: rows of `listening.csv`.
        fields: run name -> shares of the squared gradient, one array for each song.
        attention: run name -> what was measured at each moment of each song; empty for a net without attention.
        maps: run name -> attention maps of the scene.
        scene: the passage that the maps are of.
    """

    context: list[ContextRow] = field(default_factory=list)
    listening: list[ListeningRow] = field(default_factory=list)
    fields: dict[str, list[Floats]] = field(default_factory=dict)
    attention: dict[str, list[Attention]] = field(default_factory=dict)
    maps: dict[str, Maps] = field(default_factory=dict)
    scene: Scene | None = None

    def field_rows(self, net: ProbedNet) -> list[FieldRow]:
        """Average a net's gradients over songs and moments."""
        shares = average_fields(self.fields[net.system])
        offsets = field_offsets(net.stft, len(shares))
        return [FieldRow(net.system, net.group, *map(float, pair)) for pair in zip(offsets, shares, strict=True)]

    def field_radius_row(self, net: ProbedNet) -> FieldRadiusRow:
        """Return the radius that holds 95 % of a net's gradients."""
        shares = average_fields(self.fields[net.system])
        return FieldRadiusRow(net.system, net.group, field_radius(field_offsets(net.stft, len(shares)), shares))

    def attention_rows(self, net: ProbedNet) -> list[AttentionRow]:
        """Average a net's attention over songs and moments."""
        return attention_rows(net, self.attention[net.system])

    def write(self, out: Path, nets: list[ProbedNet], facts: dict[str, object]) -> None:
        """Write every file, each of them whole or not at all.

        Raises:
            DemixError: when a file cannot be written.
        """
        write_rows(out / "context.csv", ContextRow, self.context)
        write_rows(out / "listening.csv", ListeningRow, self.listening)
        write_rows(out / "field.csv", FieldRow, [row for net in nets for row in self.field_rows(net)])
        write_rows(out / "field_radius.csv", FieldRadiusRow, [self.field_radius_row(net) for net in nets])
        write_rows(out / "attention.csv", AttentionRow, [row for net in nets for row in self.attention_rows(net)])
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
