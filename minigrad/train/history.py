"""History: one record of numbers per epoch, and their picture."""

import csv
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from ..viz.curve import save_curve


class History:
    """What ``fit`` returns: a list of records, one per epoch, whose columns are had by name.

    Example:
        >>> from minigrad.train import History
        >>> h = History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 0.5}])
        >>> h["loss"], len(h), h.best("loss")["epoch"]
        ([2.0, 0.5], 2, 2)
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()):
        self.rows: list[dict[str, Any]] = [dict(row) for row in rows]

    def append(self, row: Mapping[str, Any]) -> None:
        """Add the record of an epoch."""
        self.rows.append(dict(row))

    @property
    def names(self) -> list[str]:
        """The columns, in order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, key: Any) -> Any:
        """A column by its name (NaN where an epoch lacks it), or a record by its number."""
        if not isinstance(key, str):
            return self.rows[key]
        if key not in self.names:
            raise KeyError(f"History: no column {key!r}; there are {', '.join(self.names) or 'none yet'}")
        return [row.get(key, float("nan")) for row in self.rows]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        return iter(self.rows)

    def best(self, name: str, mode: str = "min") -> dict[str, Any]:
        """The record in which a column is smallest ("min") or largest ("max"); the first of equals."""
        if mode not in ("min", "max"):
            raise ValueError(f"History.best: mode must be 'min' or 'max', got {mode!r}")
        column = self[name]
        usable = [i for i, v in enumerate(column) if isfinite(v)]
        if not usable:
            raise ValueError(f"History.best: {name} has no finite value")
        return self.rows[(min if mode == "min" else max)(usable, key=column.__getitem__)]

    def save_csv(self, path: Any) -> Path:
        """Write all records to a CSV file; returns its path."""
        path = Path(path)
        with open(path, "w", newline="") as f:
            writer = csv.DictWriter(f, self.names)
            writer.writeheader()
            writer.writerows(self.rows)
        return path

    def plot(self, path: Any, names: Iterable[str] | None = None) -> Path:
        """Draw columns over the epochs: by default the losses. PNG where matplotlib is installed, else SVG; returns the file's path."""
        chosen = list(names) if names is not None else [n for n in self.names if n == "loss" or n.endswith("_loss")]
        return save_curve(Path(path), {n: self[n] for n in chosen}, "epoch", ", ".join(chosen) if len(chosen) == 1 else "")

    def __repr__(self) -> str:
        if not self.rows:
            return "History(no epochs)"
        last = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in self.rows[-1].items())
        return f"History({len(self)} epochs; last: {last})"


__all__ = ["History"]
