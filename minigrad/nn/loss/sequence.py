"""Losses of sequences whose alignment is not known."""

from typing import Any

from .. import functional as F
from .reduction import Loss


class CTCLoss(Loss):
    """-log of the probability of all alignments that spell the target; see ``functional.ctc_loss``.

    Shapes: log_probs (T, N, C) or (T, C); targets (N, S), or in a row (sum of target_lengths,); lengths (N,) or ().

    Args:
        blank: the class that says nothing.
        reduction: "mean" (each loss over the length of its target, then over N), "sum" or "none".
        zero_infinity: make the losses of targets that are too long 0; their gradient is 0 in any case.

    Source:
        Graves et al., "Connectionist temporal classification", 2006.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> half = mg.log(mg.full((2, 1, 2), 0.5))
        >>> round(nn.CTCLoss()(half, mg.tensor([[1]]), [2], [1]).item(), 4)
        0.2877
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction)
        if blank < 0:
            raise ValueError(f"CTCLoss: blank must be a class index, got {blank}")
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity)


__all__ = ["CTCLoss"]
