"""The controls: variants of the nets compared with the plain ones, all trained under one shorter budget."""

from collections.abc import Mapping
from dataclasses import dataclass

from demix.errors import DemixError
from demix.evaluation.scores import read_seconds
from demix.evaluation.statistics import Difference, paired_differences
from demix.report.pool import pairs_of_seeds
from demix.report.read import read_controls
from demix.report.results import Results, System
from demix.report.spread import Estimate
from demix.report.verdict import SEED_NOISE_DB


@dataclass(frozen=True)
class Control:
    """One variant, or one plain net.

    Args:
        net: its runs and their facts.
        of: name of the plain group that it varies; its own for a plain net.
        aspect: what is varied.
        sdr: its mean `sdr` over stems, songs and seeds in dB.
        differences: stem or `mean` -> how far it is ahead of its plain net; empty for a plain net.
    """

    net: System
    of: str
    aspect: str
    sdr: float
    differences: Mapping[str, Difference]

    @property
    def label(self) -> str:
        """Its name for readers."""
        return self.net.label

    @property
    def estimate(self) -> Estimate:
        """How far its mean is ahead of its plain net's."""
        mean = self.differences["mean"]
        floor = SEED_NOISE_DB if mean.seeds == 1 else 0.0
        return Estimate(mean.difference_db, mean.low_db, mean.high_db, mean.songs, floor)


def compare_controls(results: Results) -> list[Control]:
    """Compare each control with its plain net; an empty list where there are none.

    Raises:
        DemixError: when a file of the controls is malformed, or a control's plain net is missing.
    """
    found = read_controls(results)
    if found is None:
        return []
    seconds = read_seconds(found.folder / "seconds.csv")
    entries = {net.name: [entry for entry in found.facts["systems"] if entry["name"] in net.runs] for net in found.nets}
    controls = []
    for net in found.nets:
        of = str(net.facts.get("of", net.name))
        if of not in entries:
            raise DemixError(
                f"{found.folder}: expected the plain net {of} beside {net.name}, received none; train it under "
                "the same budget"
            )
        differences = {}
        if of != net.name:
            runs, plain_runs = pairs_of_seeds(entries[net.name], entries[of])
            if not runs:
                raise DemixError(f"{found.folder}: expected a seed that {net.name} shares with {of}, received none")
            differences = paired_differences(seconds, runs, plain_runs)
        sdr = found.score("sdr", net.name)
        aspect = str(net.facts.get("aspect", "other"))
        controls.append(Control(net, of, aspect, float("nan") if sdr is None else sdr, differences))
    return controls
