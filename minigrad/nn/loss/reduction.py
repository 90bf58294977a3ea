"""What all losses are: modules that keep settings and reduce many numbers to one."""

from typing import Any

from ...autograd import Tensor
from ..functional.targets import check_reduction
from ..module import Module
from ..parameter import Buffer


class Loss(Module):
    """The base of losses: keeps ``reduction``, and constants such as class weights as buffers, where PyTorch keeps them.

    Args:
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = check_reduction(type(self).__name__, reduction)

    def _keep(self, **constants: Any) -> None:
        """Constants such as class weights: moved and saved with the module."""
        for name, value in constants.items():
            self.register_buffer(name, None if value is None else Buffer(value.data if isinstance(value, Tensor) else value))


__all__ = ["Loss"]
