"""How far numbers are off: absolute, squared and root of squared errors, and the share of the variance explained."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from ..backend import is_complex, to_device
from ..errors import DTypeError
from ..nn.functional.targets import alike
from .metric import Mean, Metric


def _numbers(who: str, output: Any, target: Any) -> tuple[Any, Any]:
    """Both in double precision."""
    output, target = alike(who, output=output, target=target)
    if is_complex(output.dtype) or is_complex(target.dtype):
        raise DTypeError(f"{who}: expected real numbers, got {output.dtype} and {target.dtype}")
    return output.astype("float64"), target.astype("float64")


class _MeanOverAll(Mean):
    """A mean over all elements, summed up in float64."""

    def each(self, difference: Any) -> Any:
        """What of the difference is averaged."""
        raise NotImplementedError(f"{type(self).__name__}: define each(self, difference)")

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        output, target = _numbers(type(self).__name__, output, target)
        return {"total": self.each(output - target).sum(), "count": output.size}


class MAE(_MeanOverAll):
    """The mean of ``|output - target|`` over all elements; NaN without data.

    Shapes: output and target of one shape; nothing is broadcast.

    Args:
        name: what logs call it.

    Raises:
        ShapeError, DTypeError: in ``update``: shapes that differ, complex numbers.

    Example:
        >>> from minigrad.metrics import MAE
        >>> mae = MAE()
        >>> mae.update([1.0, 2.0], [1.0, 4.0]); mae
        MAE(1)
    """

    def each(self, difference: Any) -> Any:
        return abs(difference)


class MSE(_MeanOverAll):
    """The mean of ``(output - target)^2`` over all elements; NaN without data. Shapes, arguments and errors as for ``MAE``.

    Example:
        >>> from minigrad.metrics import MSE
        >>> mse = MSE()
        >>> mse.update([1.0, 2.0], [1.0, 4.0]); mse
        MSE(2)
    """

    def each(self, difference: Any) -> Any:
        return difference * difference


class RMSE(MSE):
    """The square root of the mean squared error over all data (not the mean of the batches' roots). As ``MSE`` else.

    Example:
        >>> from minigrad.metrics import RMSE
        >>> rmse = RMSE()
        >>> rmse.update([1.0, 2.0], [1.0, 4.0]); rmse
        RMSE(1.414)
    """

    def compute(self) -> float:
        return sqrt(super().compute())


class R2(Metric):
    """The share of the targets' variance that is explained: ``1 - sum (target - output)^2 / sum (target - mean)^2``.

    Shapes: output and target (N,) or (N, d1, ...), the same; of several columns each has its own mean, and the shares are averaged.

    Args:
        name: what logs call it.

    Raises:
        ShapeError, DTypeError: in ``update``: shapes that differ, complex numbers.

    Numerics: the sums of squares about the mean are merged after Chan, so that a large mean costs no digits. NaN with fewer than two
        samples; where all targets are equal 1 if they are hit, else 0.
    Source:
        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979, eq. 1.5.

    Example:
        >>> from minigrad.metrics import R2
        >>> r2 = R2()
        >>> r2.update([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]); r2
        R2(0.9486)
    """

    count: int
    spread: Any
    residual: Any
    sums: Mapping[str, Any] = {"count": 0, "mean": 0.0, "spread": 0.0, "residual": 0.0}

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        output, target = _numbers("R2", output, target)
        if not output.ndim:
            output, target = output.reshape(1), target.reshape(1)
        n = len(target)
        mean = target.sum(axis=0) / max(n, 1)
        return {
            "count": n,
            "mean": mean,
            "spread": ((target - mean) ** 2).sum(axis=0),
            "residual": ((output - target) ** 2).sum(axis=0),
        }

    def join(self, mine: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
        joined = dict(super().join(mine, more))
        n, away = max(joined["count"], 1), more["mean"] - mine["mean"]
        joined["mean"] = mine["mean"] + away * (more["count"] / n)
        joined["spread"] = joined["spread"] + away * away * (mine["count"] * more["count"] / n)
        return joined

    def compute(self) -> float:
        if self.count < 2:
            return float("nan")
        spread, residual = [to_device(a, "cpu") if hasattr(a, "shape") else np.asarray(a) for a in (self.spread, self.residual)]
        constant = spread == 0
        shares = np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1, spread))
        return float(shares.mean())


__all__ = ["MAE", "MSE", "R2", "RMSE"]
