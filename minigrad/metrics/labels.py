"""What outputs decide and what targets say, as class labels; and how often each label occurs."""

from typing import Any, NamedTuple

from ..backend import is_inexact
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from ..ops.losses import checked_labels, on_cpu


class Decisions(NamedTuple):
    """Classes predicted and true, arrays of one shape; where they count (None: everywhere); how many there are (None: not known)."""

    guess: Any
    labels: Any
    valid: Any
    classes: int | None

    @property
    def count(self) -> Any:
        """How many of them count."""
        return self.labels.size if self.valid is None else self.valid.sum()


def decisions(
    who: str, output: Any, target: Any, threshold: float | None = None, num_classes: int | None = None, ignore_index: int | None = None
) -> Decisions:
    """Read a batch in one of three forms.

    1. Scores (N, C, d1, ...) and labels (N, d1, ...): the class of the largest score, the first of equals.
    2. Scores and targets 0 or 1 of one shape: class 1 where the score is above ``threshold``.
    3. Labels and labels of one shape.

    Values are looked at on the CPU only; on a GPU labels outside the classes are not counted.

    Raises:
        ValueError: scores of the second form without a threshold.
        ShapeError: the shapes fit none of these, or there are not ``num_classes`` scores.
        DTypeError: targets that are not whole numbers.
        IndexRangeError: a label outside the classes that is not ``ignore_index``.
    """
    shape = tuple(output.shape)
    classes, inside = num_classes, None
    if is_inexact(output.dtype) and shape != tuple(target.shape):
        if len(shape) < 2 or shape[1] < 2 or shape[:1] + shape[2:] != tuple(target.shape):
            raise ShapeError(
                f"{who}: expected scores (N, C, ...) and labels (N, ...), or both of one shape; got {shape} and {tuple(target.shape)}"
            )
        classes, guess = shape[1], output.argmax(axis=1)
    elif is_inexact(output.dtype):
        if threshold is None:
            raise ValueError(f"{who}: scores of the targets' shape {shape} need a threshold: 0 for logits, 0.5 for probabilities")
        classes, guess = 2, output > threshold
    else:
        guess, inside = read_labels(f"{who}: output", output, tuple(target.shape), classes, None)
    if num_classes is not None and classes != num_classes:
        raise ShapeError(f"{who}: {num_classes} classes were announced, output {shape} has {classes}")
    labels, valid = read_labels(who, target, tuple(guess.shape), classes, ignore_index)
    return Decisions(guess, labels, inside if valid is None else valid if inside is None else valid & inside, classes)


def read_labels(who: str, target: Any, shape: tuple[int, ...], classes: int | None, ignore_index: int | None) -> tuple[Any, Any]:
    """Labels that are safe to index with, and where they count (None: everywhere). Raises as ``decisions``."""
    labels = _whole(who, target)
    if classes is not None:
        return checked_labels(who, labels, shape, classes, ignore_index)
    if tuple(labels.shape) != shape:
        raise ShapeError(f"{who}: labels of shapes {tuple(labels.shape)} and {shape}; they must be the same")
    return labels, None if ignore_index is None else labels != ignore_index


def _whole(who: str, a: Any) -> Any:
    """Whole numbers and booleans as integers."""
    if a.dtype.kind in "iu":
        return a
    if a.dtype.kind != "b" and on_cpu(a) and (a != namespace(type(a)).floor(a)).any():
        raise DTypeError(f"{who}: labels must be whole numbers, got {a.dtype}{list(a.shape)} with fractions or NaN")
    return a.astype("int64")


def tally(index: Any, bins: int, valid: Any = None) -> Any:
    """How often each of 0, ..., bins - 1 occurs where ``valid`` holds, without waiting for a device."""
    xp = namespace(type(index))
    index = index.astype("int64", copy=False)
    index = (index if valid is None else xp.where(valid, index, bins)).reshape(-1)
    counts = xp.zeros(bins + 1, "uint64")  # CuPy has no atomic addition for int64
    xp.add.at(counts, index, xp.ones(index.shape, "uint64"))
    return counts[:bins].astype("int64")


__all__ = ["Decisions", "decisions", "read_labels", "tally"]
