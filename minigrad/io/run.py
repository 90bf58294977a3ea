"""A whole run in one file: nested dicts, lists, numbers, texts and tensors, in the safetensors layout. Nothing is executed.

The tensors lie in the file under their paths (``model.0.weight``); the tree that holds them is JSON in the metadata, where a tensor is
``{"$tensor": path}``. Any reader of safetensors can therefore take the weights out of a run. The tensors' numbers have checksums of
their own; one more covers the tree and what kinds of tensors there are.
"""

import json
import zlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import CheckpointError, DTypeError
from . import safetensors

FORMAT = 1
_TREE, _VERSION, _CHECKSUM = "minigrad.run", "minigrad.run.format", "minigrad.run.crc32"
_MARKS = ("$tensor", "$dict", "$tuple", "$number")


def save_run(state: Mapping[str, Any], path: Any) -> None:
    """Write a tree of state to one file, which is the old one or the new one at every moment.

    Args:
        state: dicts, lists, tuples, None, booleans, integers, floats, texts, Tensors and arrays, nested as you like: what the
            ``state_dict()`` of models, optimizers, schedulers, loaders and callbacks give.
        path: the file; a name ending in ``.safetensors`` lets other programs find the weights.

    Raises:
        DTypeError: something else in the tree; the message says where.
        OSError: the file could not be written; an older one is still there.

    Example:
        >>> import minigrad as mg, os, tempfile
        >>> from minigrad.io import load_run, save_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.safetensors")
        ...     save_run({"model": {"w": mg.tensor([1.0, 2.0])}, "epoch": 3, "rates": [0.1, 0.01]}, path)
        ...     back = load_run(path)
        >>> back["model"]["w"].tolist(), back["epoch"], back["rates"]
        ([1.0, 2.0], 3, [0.1, 0.01])
    """
    tensors: dict[str, Any] = {}
    try:
        tree = json.dumps(_packed(state, "", tensors), separators=(",", ":"))
    except RecursionError:
        raise DTypeError("save_run: the state is nested too deeply, or holds itself") from None
    safetensors.save(tensors, path, {_TREE: tree, _VERSION: str(FORMAT), _CHECKSUM: _checksum(tree, tensors)})


def load_run(path: Any) -> Any:
    """The tree that ``save_run`` wrote; tensors come back as Tensors on the CPU.

    Raises:
        CheckpointError: the file is damaged, is no run, or is of a later format than this version reads.
        OSError: it cannot be read.

    Example:
        >>> import os, tempfile
        >>> from minigrad.io import load_run, save_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.safetensors")
        ...     save_run({"epoch": 3, "best": (0.1, None)}, path)
        ...     load_run(path)
        {'epoch': 3, 'best': (0.1, None)}
    """

    def check(texts: Mapping[str, str]) -> None:
        if _TREE not in texts:
            raise CheckpointError(f"{path}: holds tensors but no run; read it with mg.load(path)")
        version = texts.get(_VERSION, "")
        if version not in [str(n) for n in range(1, FORMAT + 1)]:
            raise CheckpointError(f"{path}: format {version[:20]!r} of a run; this version reads up to {FORMAT}: update minigrad")

    tensors, texts = safetensors.read(path, check)
    found, expected = _checksum(texts[_TREE], tensors), texts.get(_CHECKSUM)
    if found != expected:
        raise CheckpointError(f"{path}: the tree of the run is damaged: CRC-32 {found}, expected {expected}")
    try:
        return _unpacked(json.loads(texts[_TREE]), tensors)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path}: the tree of the run is not valid: {type(error).__name__}: {str(error)[:200]}") from None


def _checksum(tree: str, tensors: Mapping[str, Any]) -> str:
    kinds = [[name, t.dtype.name, list(t.shape)] for name, t in sorted(tensors.items())]
    return f"{zlib.crc32((tree + json.dumps(kinds)).encode('utf-8', 'surrogatepass')):08x}"


def _packed(value: Any, where: str, tensors: dict[str, Any]) -> Any:
    if isinstance(value, Mapping):
        plain = all(isinstance(k, str) for k in value) and not any(k in _MARKS for k in value)
        items = [(k, _packed(v, f"{where}.{k}" if where else str(k), tensors)) for k, v in value.items()]
        if plain:
            return dict(items)
        if not all(isinstance(k, (str, int)) for k in value):
            raise DTypeError(
                f"save_run: keys must be texts or integers, got {sorted({type(k).__name__ for k in value})} at {where or 'the top'}"
            )
        return {"$dict": [[k, v] for k, v in items]}
    if isinstance(value, (list, tuple)):
        many = [_packed(v, f"{where}.{i}" if where else str(i), tensors) for i, v in enumerate(value)]
        return {"$tuple": many} if isinstance(value, tuple) else many
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if isinstance(value, int) or isfinite(value) else {"$number": repr(float(value))}
    if isinstance(value, (Tensor, np.generic)) or hasattr(value, "dtype"):
        name = where or "value"
        while name in tensors or name == "__metadata__":  # {"a": {"b": x}, "a.b": y}
            name += "'"
        tensors[name] = value
        return {"$tensor": name}
    raise DTypeError(f"save_run: {where or 'the top'} is a {type(value).__name__}, which cannot be saved without executing code on loading")


def _unpacked(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_unpacked(v, tensors) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        (mark, inner), *_ = tree.items()
        if mark == "$tensor":
            return tensors[inner]
        if mark == "$dict":
            return {k: _unpacked(v, tensors) for k, v in inner}
        if mark == "$tuple":
            return tuple([_unpacked(v, tensors) for v in inner])
        if mark == "$number":
            return float(inner)
    return {k: _unpacked(v, tensors) for k, v in tree.items()}


__all__ = ["load_run", "save_run"]
