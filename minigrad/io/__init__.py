"""Floor 5: files. ``save`` and ``load`` choose the format by the name: ``.safetensors`` or ``.npz``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..autograd import Tensor
from ..errors import CheckpointError, DTypeError
from . import npz, safetensors


def _format(who: str, path: Any) -> Any:
    formats = {".safetensors": safetensors, ".npz": npz}
    suffix = Path(path).suffix
    if suffix not in formats:
        raise ValueError(f"{who}: the name must end in {' or '.join(formats)}, got {str(path)!r}")
    return formats[suffix]


def save(state: Any, path: Any) -> None:
    """Write tensors by name, or what ``state_dict()`` of a module gives, to a file; see ``safetensors.save`` and ``npz.save``."""
    form = _format("save", path)
    state = state.state_dict() if hasattr(state, "state_dict") else state
    if not isinstance(state, Mapping):
        raise DTypeError(f"save: expected a dict of tensors or a module, got {type(state).__name__}; is the order save(state, path)?")
    form.save(state, path)


def load(path: Any) -> dict[str, Tensor]:
    """The tensors of a file by name; see ``safetensors.load`` and ``npz.load``."""
    return _format("load", path).load(path)


__all__ = ["CheckpointError", "load", "npz", "safetensors", "save"]
