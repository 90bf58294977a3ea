"""The model before and between: evaluation mode and back, and parameters that nobody trains."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..nn import Module
from ..optim import Optimizer


@contextmanager
def evaluating(model: Module) -> Iterator[Module]:
    """Evaluation mode within the block; afterwards every part has the mode that it had.

    Example:
        >>> from minigrad import nn
        >>> from minigrad.train import evaluating
        >>> model = nn.Dropout()
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for m, training in modes:
            m.training = training


def warn_of_what_stays(model: Module, optimizer: Optimizer) -> None:
    """Warn of parameters that require grad and that the optimizer does not have."""
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    left = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in known]
    if left:
        some = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        warnings.warn(
            f"fit: the optimizer does not have {some}; they will not be trained. Freeze them to say so", UserWarning, stacklevel=3
        )


__all__ = ["evaluating"]
