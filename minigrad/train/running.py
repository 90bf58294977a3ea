"""The sums of an epoch so far."""

from collections.abc import Mapping
from typing import Any

from ..autograd import Tensor, no_grad
from ..autograd.tensor import raw
from ..metrics import Metric
from .batches import size


class Running:
    """The loss weighted by the size of its batch, and the metrics; nothing is read from the device before ``compute``."""

    def __init__(self, metrics: dict[str, Metric]):
        self.metrics = metrics
        self.reset()

    def reset(self) -> None:
        self.total: Any = 0.0
        self.count = self.batches = 0
        for metric in self.metrics.values():
            metric.reset()

    def update(self, loss: Tensor, output: Any, target: Any) -> None:
        n = size(target if hasattr(target, "shape") else output)
        self.total = self.total + raw(loss).reshape(()).astype("float64") * n
        self.count += n
        self.batches += 1
        if self.metrics:
            with no_grad():
                for metric in self.metrics.values():
                    metric.update(output, target)

    def compute(self) -> dict[str, float]:
        mean = float(self.total) / self.count if self.count else float("nan")
        return {"loss": mean, **{name: metric.compute() for name, metric in self.metrics.items()}}

    def state_dict(self) -> dict[str, Any]:
        metrics = {name: metric.state_dict() for name, metric in self.metrics.items()}
        return {"total": float(self.total), "count": self.count, "batches": self.batches, "metrics": metrics}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total, self.count, self.batches = state["total"], state["count"], state["batches"]
        for name, metric in self.metrics.items():
            metric.load_state_dict(state["metrics"][name])


def named(metrics: Any) -> dict[str, Metric]:
    """Metrics by the names under which they are recorded."""
    if isinstance(metrics, Metric):
        metrics = [metrics]
    named = dict(metrics) if isinstance(metrics, Mapping) else {m.name: m for m in metrics}
    if len(named) != len(metrics) or "loss" in named:
        raise ValueError(f"Trainer: metrics need different names, none of them 'loss'; give a dict. Got {[m.name for m in metrics]}")
    return named


__all__ = ["Running"]
