"""The row of ops/ctc.py; the reference tries every path."""

import math
from itertools import groupby, product

import numpy as np

from ...errors import DTypeError, IndexRangeError, ShapeError
from ..spec import OpSpec, S


def spelled(path, blank):
    """What a path says: repetitions merged, then blanks left out."""
    return [c for c, _ in groupby(path) if c != blank]


def every_path(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """The loss from its definition: the probabilities of all paths that spell the target, added up."""
    x = log_probs if np.ndim(log_probs) == 3 else log_probs[:, None]
    n = x.shape[1]
    times, lengths = (np.reshape(v, n) for v in (input_lengths, target_lengths))
    rows = np.split(np.asarray(targets), np.cumsum(lengths)[:-1]) if np.ndim(targets) == 1 and n else np.atleast_2d(targets)
    losses = []
    for i in range(n):
        wanted = list(rows[i][: lengths[i]])
        paths = [p for p in product(range(x.shape[2]), repeat=int(times[i])) if spelled(p, blank) == wanted]
        total = math.fsum(math.exp(math.fsum(x[t, i, c] for t, c in enumerate(p))) for p in paths)
        losses.append(-math.log(total) if total else 0.0 if zero_infinity else math.inf)
    if reduction == "none":
        return np.array(losses) if np.ndim(log_probs) == 3 else np.array(losses[0])
    return math.fsum(losses) if reduction == "sum" else np.mean(np.divide(losses, np.maximum(lengths, 1))) if n else 0.0


TARGETS = np.array([[1, 1, 2], [2, 1, -7], [2, 0, 0], [0, 0, 0]])
TIMES, LENGTHS = np.array([5, 4, 5, 3]), np.array([3, 2, 1, 0])
X = np.zeros((5, 4, 3))

SPECS = [
    OpSpec(
        "nn.functional.ctc_loss",
        every_path,
        [
            S((5, 4, 3), TARGETS, TIMES, LENGTHS),
            S((5, 4, 3), TARGETS, TIMES, LENGTHS, reduction="none"),
            S((4, 2, 3), np.array([[0, 1], [1, 1]]), np.array([4, 3]), np.array([2, 2]), blank=2, reduction="sum"),
            S((4, 3), np.array([1, 2]), np.array(3), np.array(2), reduction="none"),
            S((2, 2, 3), np.array([[1, 1], [1, 2]]), np.array([2, 2]), np.array([2, 2]), zero_infinity=True),
            S((2, 0, 3), np.zeros((0, 2), int), np.zeros(0, int), np.zeros(0, int)),
        ],
        empty="skip",
        half=1e-2,
        single=5e-5,
        kinks="A target too long for its sequence costs inf and has gradient 0.",
        errors=[
            ((X, TARGETS + 2, TIMES, LENGTHS), {}, IndexRangeError, ("ctc_loss", "label 3 at row 0, place 0", "3 classes")),
            ((X, TARGETS - 1, TIMES, LENGTHS), {}, ValueError, ("ctc_loss", "label 0 at row 0, place 0", "blank")),
            ((X, TARGETS * 1.0, TIMES, LENGTHS), {}, DTypeError, ("ctc_loss", "targets", "integers")),
            ((X, TARGETS[:2], TIMES, LENGTHS), {}, ShapeError, ("ctc_loss", "(4, S)", "(2, 3)")),
            ((X, TARGETS, TIMES + 1, LENGTHS), {}, ValueError, ("ctc_loss", "input_lengths is 6 at row 0", "0 to 5")),
            ((X, TARGETS, TIMES, LENGTHS + 1), {}, ValueError, ("ctc_loss", "target_lengths is 4 at row 0", "0 to 3")),
            ((X, TARGETS, TIMES[:3], LENGTHS), {}, ShapeError, ("ctc_loss", "input_lengths", "(4,)", "(3,)")),
            ((X, TARGETS, TIMES * 0.5, LENGTHS), {}, DTypeError, ("ctc_loss", "input_lengths", "integers")),
            ((X, np.array([1, 2, 1]), TIMES, LENGTHS), {}, ShapeError, ("ctc_loss", "6", "3 labels in a row")),
            ((X, TARGETS, TIMES, LENGTHS), {"blank": 3}, IndexRangeError, ("ctc_loss", "blank 3")),
            ((X, TARGETS, TIMES, LENGTHS), {"reduction": "average"}, ValueError, ("ctc_loss", "average")),
            ((X.astype(int), TARGETS, TIMES, LENGTHS), {}, DTypeError, ("ctc_loss", "floating")),
        ],
    ),
]
