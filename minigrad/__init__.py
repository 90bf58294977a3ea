"""minigrad: automatic differentiation that you can read.

    import minigrad as mg

    w = mg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    w.grad                  # Tensor([2., 4.], ...)

Tensor mathematics has the array API's names (``mg.exp``, ``mg.linalg.inv``), layers and optimizers PyTorch's (``mg.nn``,
``mg.optim``). ``mg.autograd`` is the engine, ``mg.viz`` draws graphs, ``mg.testing`` checks gradients.
"""

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from . import autograd, backend, errors, nn, ops, optim
from .autograd import Tensor, enable_grad, grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .backend import Device, Generator, default_dtype, device, is_available, manual_seed, set_default_dtype
from .backend.dtypes import (
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .ops import *
from .ops import __all__ as _operations
from .ops import fft, linalg, random, special

__version__ = "0.1.0"

bool = bool_
newaxis = None

_later = dict.fromkeys(
    ("amp", "array_api", "data", "debug", "distributed", "io", "metrics", "regularizers", "testing", "train", "viz"), ""
) | {
    "capture": "captured",
    "check_device": "testing.portability",
    "get_float32_matmul_precision": "backend.cuda.products",
    "load": "io",
    "save": "io",
    "set_float32_matmul_precision": "backend.cuda.products",
    "show_config": "configuration",
}
"""What is imported when it is first used: parts, and the names that are a part's."""

if TYPE_CHECKING:
    from . import amp, array_api, data, debug, distributed, io, metrics, regularizers, testing, train, viz
    from .backend.cuda.products import get_float32_matmul_precision, set_float32_matmul_precision
    from .captured import capture
    from .configuration import show_config
    from .io import load, save
    from .testing.portability import check_device

__all__ = [
    "Device",
    "Generator",
    "Tensor",
    "__version__",
    "amp",
    "array_api",
    "autograd",
    "backend",
    "bool_",
    "capture",
    "check_device",
    "complex128",
    "complex64",
    "data",
    "debug",
    "default_dtype",
    "device",
    "distributed",
    "e",
    "enable_grad",
    "errors",
    "fft",
    "float16",
    "float32",
    "float64",
    "get_float32_matmul_precision",
    "grad",
    "inf",
    "inference_mode",
    "int16",
    "int32",
    "int64",
    "int8",
    "io",
    "is_available",
    "is_grad_enabled",
    "linalg",
    "load",
    "manual_seed",
    "metrics",
    "nan",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "pi",
    "random",
    "regularizers",
    "save",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "show_config",
    "special",
    "testing",
    "train",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "viz",
    *_operations,
]


def __getattr__(name: str) -> Any:
    if name in _later:
        part = importlib.import_module(f"{__name__}.{_later[name] or name}")
        return getattr(part, name) if _later[name] else part
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_later})
