"""Sequences of several lengths: padded to one, or packed so that nothing is computed for padding.

Packed, they are sorted by length, longest first, and lie time step by time step: the rows of step 0, then those of step 1, ...
Lengths, sizes and orders are plain numbers on the CPU, as they decide on shapes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Tensor
from ...autograd.tensor import raw, wrap
from ...backend import device_of, to_device
from ...errors import DeviceError, DTypeError, ShapeError
from ...ops.joining import concat
from ...ops.losses import given, on_cpu
from ...ops.recurrent import lay_rows, take_rows


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None


class PackedSequence(_Packed):
    """Sequences without their padding, as ``pack_padded_sequence`` and ``pack_sequence`` make them; recurrent layers take and give it.

    Args:
        data: (sum of lengths, ...), the rows of step 0, then those of step 1, ...
        batch_sizes: how many sequences reach each step; never growing.
        sorted_indices: the places that the sorted sequences had before, or None if they were sorted.
        unsorted_indices: the inverse; worked out if it is not given.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pack_sequence
        >>> packed = pack_sequence([mg.tensor([1.0, 2.0, 3.0]), mg.tensor([4.0])])
        >>> packed.data.tolist(), packed.batch_sizes.tolist()
        ([1.0, 4.0, 2.0, 3.0], [2, 1, 1])
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Any, sorted_indices: Any = None, unsorted_indices: Any = None) -> "PackedSequence":
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *where: Any, device: Any = None, dtype: Any = None) -> "PackedSequence":
        """With the data on another device or in another dtype; sizes and orders stay on the CPU."""
        return self._replace(data=self.data.to(*where, device=device, dtype=dtype))

    def cpu(self) -> "PackedSequence":
        """``to("cpu")``."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> "PackedSequence":
        """``to("cuda:index")``."""
        return self.to(f"cuda:{index}")


def host(x: Any) -> np.ndarray:
    """Plain numbers that are on the CPU already.

    Raises:
        DeviceError: they would have to be fetched.
    """
    a = raw(given(x))
    if not on_cpu(a):
        raise DeviceError(f"rnn: lengths and orders decide on shapes and must be on the CPU, got {device_of(a)}; use .cpu()")
    return a


def checked_lengths(who: str, lengths: Any, batch: int, longest: int) -> np.ndarray:
    """Lengths as integers on the CPU.

    Raises:
        DTypeError: they are not integers.
        ShapeError: they are not one per sequence, or one is below 1 or above ``longest``.
        DeviceError: they are on a GPU.
    """
    a = host(lengths)
    if a.dtype.kind not in "iu" and a.size:
        raise DTypeError(f"{who}: lengths must be integers, got {a.dtype}{list(a.shape)}")
    if a.shape != (batch,):
        raise ShapeError(f"{who}: expected one length for each of the {batch} sequences, shape ({batch},), got shape {a.shape}")
    a = a.astype("int64", copy=False)
    bad = ((a < 1) | (a > longest)).nonzero()[0]
    if bad.size:
        raise ShapeError(f"{who}: length {a[bad[0]]} at position {bad[0]}; expected 1 to {longest}, the number of steps")
    return a


def packed_rows(who: str, rows: Any, lengths: np.ndarray, first: np.ndarray, stride: int, enforce_sorted: bool) -> PackedSequence:
    """The sequences packed whose steps lie in a table of rows, those of sequence i at ``first[i] + t * stride``."""
    order, known = np.argsort(-lengths, kind="stable"), None
    if enforce_sorted:
        if (np.diff(lengths) > 0).any():
            raise ShapeError(
                f"{who}: lengths must not grow from one sequence to the next, got {lengths.tolist()}; enforce_sorted=False sorts them"
            )
    else:
        known = wrap(order, None)
    if not lengths.size:
        raise ShapeError(f"{who}: there is no sequence to be packed")
    t, i = np.nonzero(np.arange(lengths.max())[:, None] < lengths[order])
    index = to_device(first[order[i]] + t * stride, device_of(raw(rows)))
    return PackedSequence(take_rows(rows, index), wrap(np.bincount(t).astype("int64"), None), known)


def pack_padded_sequence(x: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """The padded sequences without their padding.

    Shapes: x (time, batch, ...), or (batch, time, ...) with ``batch_first``; data (sum of lengths, ...).

    Args:
        x: what lies beyond a sequence's end is not looked at.
        lengths: one integer per sequence, from 1 to the number of steps; on the CPU.
        batch_first: how x lies.
        enforce_sorted: lengths must not grow; False sorts the sequences, and remembers their places.

    Raises:
        ShapeError: lengths that do not fit x, or are not sorted though they must be.
        DTypeError: lengths that are not integers.

    Gradient: g where it was taken from, zero in the padding.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pack_padded_sequence
        >>> x = mg.tensor([[1.0, 0.0, 0.0], [2.0, 3.0, 4.0]])
        >>> pack_padded_sequence(x, [1, 3], batch_first=True, enforce_sorted=False).data.tolist()
        [2.0, 1.0, 3.0, 4.0]
    """
    x = given(x)
    if len(x.shape) < 2:
        raise ShapeError(f"pack_padded_sequence: expected (time, batch, ...) or (batch, time, ...), got shape {tuple(x.shape)}")
    batch, steps = x.shape[:2] if batch_first else x.shape[1::-1]
    a = checked_lengths("pack_padded_sequence", lengths, batch, steps)
    rows = x.reshape((batch * steps, *x.shape[2:]))
    first, stride = (np.arange(batch) * steps, 1) if batch_first else (np.arange(batch), batch)
    return packed_rows("pack_padded_sequence", rows, a, first, stride, enforce_sorted)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Tensor]:
    """The inverse of ``pack_padded_sequence``: the padded sequences in their first order, and their lengths.

    Shapes: (time, batch, ...), or (batch, time, ...) with ``batch_first``; lengths (batch,).

    Args:
        sequence: what was packed.
        batch_first: how the result is to lie.
        padding_value: what stands beyond a sequence's end.
        total_length: how many steps the result is to have; default: as many as the longest sequence.

    Raises:
        ShapeError: total_length is shorter than a sequence.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pack_sequence, pad_packed_sequence
        >>> packed = pack_sequence([mg.tensor([1.0, 2.0]), mg.tensor([3.0])])
        >>> x, lengths = pad_packed_sequence(packed, batch_first=True, padding_value=-1.0)
        >>> x.tolist(), lengths.tolist()
        ([[1.0, 2.0], [3.0, -1.0]], [2, 1])
    """
    data, sizes = given(sequence.data), host(sequence.batch_sizes)
    batch, longest = int(sizes[0]), len(sizes)
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ShapeError(f"pad_packed_sequence: total_length {total_length} is less than the longest sequence, of {longest} steps")
    t, i = np.nonzero(np.arange(batch) < sizes[:, None])
    lengths = (np.arange(batch) < sizes[:, None]).sum(0)
    if sequence.sorted_indices is not None:
        i, lengths = host(sequence.sorted_indices)[i], lengths[host(sequence.unsorted_indices)]
    index = i * steps + t if batch_first else t * batch + i
    rows = lay_rows(data, to_device(index, device_of(raw(data))), batch * steps, padding_value)
    lead = (batch, steps) if batch_first else (steps, batch)
    return rows.reshape((*lead, *data.shape[1:])), wrap(lengths, None)


def _joined(who: str, sequences: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Sequences one after the other, their lengths, and where each begins."""
    found = [given(s) for s in sequences]
    if not found or not all(s.shape for s in found):
        raise ShapeError(f"{who}: expected at least one sequence, each of at least one axis, got shapes {[tuple(s.shape) for s in found]}")
    if len({tuple(s.shape[1:]) for s in found}) > 1:
        raise ShapeError(f"{who}: sequences may differ in their first axis only, got shapes {[tuple(s.shape) for s in found]}")
    lengths = np.array([s.shape[0] for s in found])
    return concat(found), lengths, np.cumsum(lengths) - lengths


def pad_sequence(sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Any:
    """Sequences of several lengths in one tensor.

    Shapes: each (length, ...); the result (time, batch, ...), or (batch, time, ...) with ``batch_first``.

    Args:
        sequences: they may differ in length only.
        batch_first: how the result is to lie.
        padding_value: what fills the rest.
        padding_side: ``"right"`` or ``"left"`` of the sequence.

    Raises:
        ShapeError: no sequence, or sequences that do not fit together.
        ValueError: another side.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pad_sequence
        >>> pad_sequence([mg.tensor([1.0, 2.0]), mg.tensor([3.0])], batch_first=True).tolist()
        [[1.0, 2.0], [3.0, 0.0]]
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', got {padding_side!r}")
    rows, lengths, first = _joined("pad_sequence", sequences)
    batch, steps = len(lengths), int(lengths.max())
    i = np.repeat(np.arange(batch), lengths)
    t = np.arange(len(i)) - first[i]
    if padding_side == "left":
        t += steps - lengths[i]
    index = to_device(i * steps + t if batch_first else t * batch + i, device_of(raw(rows)))
    lead = (batch, steps) if batch_first else (steps, batch)
    return lay_rows(rows, index, batch * steps, padding_value).reshape((*lead, *rows.shape[1:]))


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The inverse of ``pad_sequence``: a list of sequences without padding, views of the padded ones.

    Shapes: padded_sequences (time, batch, ...), or (batch, time, ...) with ``batch_first``; each result (length, ...).

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import unpad_sequence
        >>> [s.tolist() for s in unpad_sequence(mg.tensor([[1.0, 2.0], [3.0, 0.0]]), [2, 1], batch_first=True)]
        [[1.0, 2.0], [3.0]]
    """
    x = given(padded_sequences)
    if len(x.shape) < 2:
        raise ShapeError(f"unpad_sequence: expected (time, batch, ...) or (batch, time, ...), got shape {tuple(x.shape)}")
    batch, steps = x.shape[:2] if batch_first else x.shape[1::-1]
    ends = checked_lengths("unpad_sequence", lengths, batch, steps).tolist()
    return [x[i, :n] if batch_first else x[:n, i] for i, n in enumerate(ends)]


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences of several lengths packed: ``pack_padded_sequence(pad_sequence(sequences), lengths)`` without the padding in between.

    Args:
        sequences: each (length, ...); they may differ in length only.
        enforce_sorted: lengths must not grow; False sorts the sequences, and remembers their places.

    Raises:
        ShapeError: no sequence, an empty one, or sequences that do not fit together or are not sorted though they must be.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pack_sequence
        >>> pack_sequence([mg.tensor([1.0]), mg.tensor([2.0, 3.0])], enforce_sorted=False).sorted_indices.tolist()
        [1, 0]
    """
    rows, lengths, first = _joined("pack_sequence", sequences)
    checked_lengths("pack_sequence", lengths, len(lengths), int(lengths.max()))
    return packed_rows("pack_sequence", rows, lengths, first, 1, enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The inverse of ``pack_sequence``: a list of sequences in their first order.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils.rnn import pack_sequence, unpack_sequence
        >>> [s.tolist() for s in unpack_sequence(pack_sequence([mg.tensor([1.0, 2.0]), mg.tensor([3.0])]))]
        [[1.0, 2.0], [3.0]]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def invert_permutation(permutation: Any) -> Any:
    """The order that undoes another; None stays None.

    Example:
        >>> from minigrad.nn.utils.rnn import invert_permutation
        >>> invert_permutation([2, 0, 1]).tolist()
        [1, 2, 0]
    """
    return None if permutation is None else wrap(np.argsort(host(permutation), kind="stable"), None)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
