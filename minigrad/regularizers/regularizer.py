"""Regularizer: what keeps parameters small, sparse, orthogonal or within bounds; attached to some of a model's parameters."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd import Tensor
from ..errors import DTypeError
from ..nn import Module
from ..optim import Optimizer


class Regularizer:
    """The base of all regularizers. It acts in one or more of three places of a training step.

    1. ``penalty(model)`` is added to the loss;
    2. ``gradients(model)`` changes gradients before the optimizer's step;
    3. ``project(model, optimizer)`` changes parameters after it: a proximal step, or a constraint.

    ``Trainer(..., regularizers=[...])`` calls all three; by hand each is one line.

    Args:
        on: which parameters: a parameter, a module (all its parameters), a regular expression that their dotted names contain, a
            function ``on(name, parameter) -> bool``, or several of these. By default all with two axes or more: weights, but no biases
            and no scales of norms.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.regularizers import L2
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> [name for name, _ in L2(0.1).chosen(model)], [name for name, _ in L2(0.1, on="0[.]").chosen(model)]
        (['0.weight', '2.weight'], ['0.weight', '0.bias'])
    """

    def __init__(self, on: Any = None):
        kinds = on if isinstance(on, (list, tuple)) else [on]
        for kind in kinds:
            if not (kind is None or callable(kind) or isinstance(kind, (Tensor, str))):
                raise DTypeError(
                    f"{type(self).__name__}: on must be a parameter, a module, a regular expression of names or a function, "
                    f"got {type(kind).__name__}"
                )
        self.on, self._tests = on, [self._test(kind) for kind in kinds]

    @staticmethod
    def _test(on: Any) -> Callable[[str, Tensor], bool]:
        if on is None:
            return lambda name, p: p.ndim >= 2
        if isinstance(on, Tensor):
            return lambda name, p: p is on
        if isinstance(on, Module):
            return lambda name, p: any(p is own for own in on.parameters())
        if isinstance(on, str):
            pattern = re.compile(on)
            return lambda name, p: pattern.search(name) is not None
        return on

    def chosen(self, model: Module | None = None) -> list[tuple[str, Tensor]]:
        """The parameters that it acts on, with their names; those attached directly need no model.

        Raises:
            ValueError: there are none.
        """
        if model is None:
            direct: Any = self.on if isinstance(self.on, (list, tuple)) else [self.on]
            pairs: Iterable[tuple[str, Tensor]] = [
                pair
                for o in direct
                for pair in (o.named_parameters() if isinstance(o, Module) else [(o.name or "", o)] if isinstance(o, Tensor) else [])
            ]
            found = list(pairs)
        else:
            found = [(name, p) for name, p in model.named_parameters() if any(test(name, p) for test in self._tests)]
        if not found:
            where = "give the model" if model is None else f"of {type(model).__name__} matches {self.on!r}"
            raise ValueError(f"{type(self).__name__}: no parameter {where}")
        return found

    def penalty(self, model: Module | None = None) -> Tensor | None:
        """A Tensor of one number to be added to the loss, or None."""
        return None

    def gradients(self, model: Module | None = None) -> None:
        """Change the gradients before a step."""

    def project(self, model: Module | None = None, optimizer: Optimizer | None = None) -> None:
        """Change the parameters after a step."""

    def __repr__(self) -> str:
        kept = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_") and not (k == "on" and v is None))
        return f"{type(self).__name__}({kept})"


def checked(who: str, **strengths: float) -> None:
    """ValueError unless all are numbers >= 0."""
    for name, value in strengths.items():
        if not value >= 0:
            raise ValueError(f"{who}: {name} must be a number >= 0, got {value}")


def rate_of(who: str, p: Tensor, optimizer: Optimizer | None) -> float:
    """The learning rate of a parameter, which is the length of its proximal step.

    Raises:
        ValueError: no optimizer, or one that does not have the parameter.
    """
    if optimizer is None:
        raise ValueError(f"{who}.project: a proximal step is as long as the optimizer's; give the optimizer")
    for group in optimizer.param_groups:
        if any(p is q for q in group["params"]):
            return float(group["lr"])
    raise ValueError(f"{who}.project: the optimizer does not have the parameter {p.name or ''} of shape {p.shape}")


__all__ = ["Regularizer"]
