"""Floor 5: files. ``save`` and ``load`` choose the format by the name: ``.safetensors`` or ``.npz``; ``save_run`` keeps a whole run.

PyTorch's files, ``.pt`` and ``.pth``, are read, without PyTorch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, DTypeError
from . import npz, safetensors
from .run import load_run, save_run
from .torch_file import load_torch

_OF_TORCH = (".pt", ".pth")


def _format(who: str, path: Any) -> Any:
    formats = {".safetensors": safetensors, ".npz": npz}
    suffix = Path(path).suffix
    if suffix in _OF_TORCH:
        raise ValueError(
            f"{who}: PyTorch's files are only read; let the name of {str(path)!r} end in .safetensors or .npz "
            "(PyTorch reads the former: safetensors.torch.load_file)"
        )
    if suffix not in formats:
        raise ValueError(f"{who}: the name must end in {' or '.join(formats)}, got {str(path)!r}")
    return formats[suffix]


def save(state: Any, path: Any) -> None:
    """Write tensors by name, or what ``state_dict()`` of a module gives, to a file; see ``safetensors.save`` and ``npz.save``.

    Args:
        state: a dict of Tensors or arrays, or a module.
        path: a name that ends in ``.safetensors`` or ``.npz``.

    Raises:
        DTypeError: the state is neither.
        ValueError: another ending.

    Example:
        >>> import minigrad as mg, os, tempfile
        >>> from minigrad import nn
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "layer.safetensors")
        ...     mg.save(nn.Linear(2, 1), path)
        ...     sorted(mg.load(path))
        ['bias', 'weight']
    """
    form = _format("save", path)
    state = state.state_dict() if hasattr(state, "state_dict") else state
    if not isinstance(state, Mapping):
        raise DTypeError(f"save: expected a dict of tensors or a module, got {type(state).__name__}; is the order save(state, path)?")
    form.save(state, path)


def load(path: Any) -> dict[str, Any]:
    """The tensors of a file by name; see ``safetensors.load`` and ``npz.load``; of .pt and .pth files also nested, see ``load_torch``.

    Raises:
        CheckpointError: the file is damaged.
        ValueError: another ending.

    Example:
        >>> import minigrad as mg, os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "numbers.npz")
        ...     mg.save({"x": mg.tensor([1.0, 2.0])}, path)
        ...     mg.load(path)["x"].tolist()
        [1.0, 2.0]
    """
    return load_torch(path) if Path(path).suffix in _OF_TORCH else _format("load", path).load(path)


__all__ = ["CheckpointError", "load", "load_run", "load_torch", "npz", "safetensors", "save", "save_run"]
