"""A run's history as CSV: one row for every stretch of steps, with the validation score where there is one."""

import csv
from dataclasses import dataclass
from pathlib import Path

from demix.errors import DemixError
from demix.files import atomic

COLUMNS = ("step", "seconds", "loss", "learning_rate", "valid_sdr")


@dataclass(frozen=True)
class Row:
    """One stretch of training.

    Args:
        step: the last step in it.
        seconds: time trained so far.
        loss: mean over the stretch.
        learning_rate: at `step`.
        valid_sdr: mean `sdr` over the stems of the validation songs in dB; None where not measured.
    """

    step: int
    seconds: float
    loss: float
    learning_rate: float
    valid_sdr: float | None = None


class History:
    """Rows in memory, written whole and atomically with every checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []

    def resume(self, step: int) -> None:
        """Read back the rows up to `step`; later ones belong to steps that are trained again.

        Raises:
            DemixError: when the file is damaged.
        """
        if not self.path.is_file():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            try:
                rows = [_parse(row) for row in csv.DictReader(file)]
            except (KeyError, ValueError, TypeError) as error:
                raise DemixError(
                    f"{self.path}: expected the columns {','.join(COLUMNS)}, but {error}; delete the run to start anew"
                ) from error
        self.rows = [row for row in rows if row.step <= step]

    def write(self) -> None:
        """Write all rows."""
        lines = [",".join(COLUMNS)]
        for row in self.rows:
            score = "" if row.valid_sdr is None else f"{row.valid_sdr:.4f}"
            lines.append(f"{row.step},{row.seconds:.2f},{row.loss:.6g},{row.learning_rate:.6g},{score}")
        with atomic(self.path) as file:
            file.write(("\n".join(lines) + "\n").encode())


def _parse(row: dict[str, str]) -> Row:
    return Row(
        step=int(row["step"]),
        seconds=float(row["seconds"]),
        loss=float(row["loss"]),
        learning_rate=float(row["learning_rate"]),
        valid_sdr=float(row["valid_sdr"]) if row["valid_sdr"] else None,
    )
